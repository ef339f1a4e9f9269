package respapi

import (
	"maps"
	"slices"
	"sync"

	"github.com/isobath/isobath/engine/keyspace"
	"github.com/isobath/isobath/server/resp"
)

// topicKind is one of the three families of subscriptions.
type topicKind uint8

const (
	channelTopic topicKind = iota
	patternTopic
	shardTopic
	topicKinds
)

// broker knows who is subscribed to what. Safe for concurrent use.
type broker struct {
	mu     sync.RWMutex
	topics [topicKinds]map[string]map[*conn]struct{}
}

// subscriptions are those of one connection; they belong to its executing goroutine.
type subscriptions [topicKinds]map[string]struct{}

// count is what the replies show: channels and patterns together, shard channels apart.
func (s *subscriptions) count(k topicKind) int {
	if k == shardTopic {
		return len(s[shardTopic])
	}
	return len(s[channelTopic]) + len(s[patternTopic])
}

func (s *subscriptions) any() bool { return s.count(channelTopic)+s.count(shardTopic) > 0 }

func (b *broker) add(cn *conn, k topicKind, name string) {
	if _, ok := cn.subs[k][name]; ok {
		return
	}
	if cn.subs[k] == nil {
		cn.subs[k] = map[string]struct{}{}
	}
	cn.subs[k][name] = struct{}{}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.topics[k] == nil {
		b.topics[k] = map[string]map[*conn]struct{}{}
	}
	if b.topics[k][name] == nil {
		b.topics[k][name] = map[*conn]struct{}{}
	}
	b.topics[k][name][cn] = struct{}{}
}

func (b *broker) remove(cn *conn, k topicKind, name string) {
	if _, ok := cn.subs[k][name]; !ok {
		return
	}
	delete(cn.subs[k], name)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.topics[k][name], cn)
	if len(b.topics[k][name]) == 0 {
		delete(b.topics[k], name)
	}
}

// leave ends all subscriptions of a connection.
func (b *broker) leave(cn *conn) {
	for k := range topicKinds {
		for name := range cn.subs[k] {
			b.remove(cn, k, name)
		}
	}
}

// publish delivers a message and returns the number of receivers.
func (b *broker) publish(k topicKind, channel, message []byte) int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	n := 0
	head := "message"
	if k == shardTopic {
		head = "smessage"
	}
	for cn := range b.topics[k][string(channel)] {
		cn.deliver(head, channel, message)
		n++
	}
	if k == shardTopic {
		return n
	}
	for pattern, conns := range b.topics[patternTopic] {
		if !keyspace.Glob([]byte(pattern), channel) {
			continue
		}
		for cn := range conns {
			cn.deliver("pmessage", []byte(pattern), channel, message)
			n++
		}
	}
	return n
}

// deliver queues a message behind the replies. A client that does not read is cut off.
func (cn *conn) deliver(head string, parts ...[]byte) {
	w := resp.NewWriter()
	cn.set(func(in *connInfo) { w.SetProtocol(in.resp) })
	w.Push(1 + len(parts))
	w.BulkString(head)
	for _, p := range parts {
		w.Bulk(p)
	}
	cn.out.put(w.Bytes(), nil)
	cn.out.flush()
	if cn.out.unread() > unreadBytes {
		cn.kill()
	}
}

// names returns the topics of a kind that match a pattern, sorted; nil matches all.
func (b *broker) names(k topicKind, pattern []byte) []string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(b.topics[k])), func(name string) bool {
		return pattern != nil && !keyspace.Glob(pattern, []byte(name))
	})
}

func (b *broker) subscribers(k topicKind, name []byte) int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.topics[k][string(name)])
}
