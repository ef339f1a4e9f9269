package respapi

import (
	"maps"
	"slices"
)

const pubsubFlags = flagPubSub | flagNoScript | flagLoading | flagStale

var pubsubCommands = []command{
	{name: "subscribe", arity: -2, flags: pubsubFlags | flagNoMulti, group: "pubsub", since: "2.0.0", summary: "Listens for messages published to channels.", run: subscribe("subscribe", channelTopic)},
	{name: "psubscribe", arity: -2, flags: pubsubFlags | flagNoMulti, group: "pubsub", since: "2.0.0", summary: "Listens for messages published to channels that match one or more patterns.", run: subscribe("psubscribe", patternTopic)},
	{name: "ssubscribe", arity: -2, flags: pubsubFlags | flagNoMulti, keys: allKeys, group: "pubsub", since: "7.0.0", summary: "Listens for messages published to shard channels.", run: subscribe("ssubscribe", shardTopic)},
	{name: "unsubscribe", arity: -1, flags: pubsubFlags | flagNoMulti, group: "pubsub", since: "2.0.0", summary: "Stops listening to messages posted to channels.", run: unsubscribe("unsubscribe", channelTopic)},
	{name: "punsubscribe", arity: -1, flags: pubsubFlags | flagNoMulti, group: "pubsub", since: "2.0.0", summary: "Stops listening to messages published to channels that match one or more patterns.", run: unsubscribe("punsubscribe", patternTopic)},
	{name: "sunsubscribe", arity: -1, flags: pubsubFlags | flagNoMulti, keys: allKeys, group: "pubsub", since: "7.0.0", summary: "Stops listening to messages posted to shard channels.", run: unsubscribe("sunsubscribe", shardTopic)},
	{name: "publish", arity: 3, flags: flagPubSub | flagLoading | flagStale | flagFast | flagOutside, group: "pubsub", since: "2.0.0", summary: "Posts a message to a channel.", run: publish(channelTopic)},
	{name: "spublish", arity: 3, flags: flagPubSub | flagLoading | flagStale | flagFast | flagOutside, keys: oneKey, group: "pubsub", since: "7.0.0", summary: "Post a message to a shard channel.", run: publish(shardTopic)},
	{name: "pubsub", arity: -2, flags: flagPubSub | flagLoading | flagStale, group: "pubsub", since: "2.8.0", summary: "A container for Pub/Sub commands.", subs: []command{
		{name: "pubsub|channels", arity: -2, flags: flagPubSub | flagLoading | flagStale, summary: "Returns the active channels.", run: pubsubChannels(channelTopic)},
		{name: "pubsub|shardchannels", arity: -2, flags: flagPubSub | flagLoading | flagStale, summary: "Returns the active shard channels.", run: pubsubChannels(shardTopic)},
		{name: "pubsub|numsub", arity: -2, flags: flagPubSub | flagLoading | flagStale, summary: "Returns a count of subscribers to channels.", run: pubsubNumSub(channelTopic)},
		{name: "pubsub|shardnumsub", arity: -2, flags: flagPubSub | flagLoading | flagStale, summary: "Returns the count of subscribers of shard channels.", run: pubsubNumSub(shardTopic)},
		{name: "pubsub|numpat", arity: 2, flags: flagPubSub | flagLoading | flagStale, summary: "Returns a count of unique pattern subscriptions.", run: func(c *call) error {
			c.w.Int(int64(len(c.srv.broker.names(patternTopic, nil))))
			return nil
		}},
	}},
}

// inSubscribedMode are the commands a RESP2 connection with subscriptions may run.
var inSubscribedMode = map[string]bool{"subscribe": true, "psubscribe": true, "ssubscribe": true, "unsubscribe": true,
	"punsubscribe": true, "sunsubscribe": true, "ping": true, "quit": true, "reset": true}

func errSubscribedMode(name string) error {
	return replyError("ERR Can't execute '" + name + "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context")
}

// subscribed says whether the connection is in the mode of RESP2 that only delivers.
func (cn *conn) subscribed() bool { return cn.w.Protocol() < 3 && cn.subs.any() }

func subscribe(head string, k topicKind) func(c *call) error {
	return func(c *call) error {
		for _, name := range c.args[1:] {
			c.srv.broker.add(c.conn, k, string(name))
			c.w.Push(3)
			c.w.BulkString(head)
			c.w.Bulk(name)
			c.w.Int(int64(c.conn.subs.count(k)))
		}
		c.conn.showSubscriptions()
		return nil
	}
}

func unsubscribe(head string, k topicKind) func(c *call) error {
	return func(c *call) error {
		var names []string
		for _, a := range c.args[1:] {
			names = append(names, string(a))
		}
		if len(c.args) == 1 {
			names = slices.Sorted(maps.Keys(c.conn.subs[k]))
		}
		for _, name := range names {
			c.srv.broker.remove(c.conn, k, name)
			c.w.Push(3)
			c.w.BulkString(head)
			c.w.BulkString(name)
			c.w.Int(int64(c.conn.subs.count(k)))
		}
		if len(names) == 0 {
			c.w.Push(3)
			c.w.BulkString(head)
			c.w.Null()
			c.w.Int(int64(c.conn.subs.count(k)))
		}
		c.conn.showSubscriptions()
		return nil
	}
}

func (cn *conn) showSubscriptions() {
	cn.set(func(in *connInfo) {
		for k := range topicKinds {
			in.subs[k] = len(cn.subs[k])
		}
	})
}

// publish waits for this connection's own writes, so that a receiver finds what the message
// is about.
func publish(k topicKind) func(c *call) error {
	return func(c *call) error {
		if err := c.sync(); err != nil {
			return err
		}
		c.w.Int(int64(c.srv.broker.publish(k, c.args[1], c.args[2])))
		return nil
	}
}

func pubsubChannels(k topicKind) func(c *call) error {
	return func(c *call) error {
		var pattern []byte
		switch len(c.args) {
		case 2:
		case 3:
			pattern = c.args[2]
		default:
			return errArity(c.cmd.name)
		}
		names := c.srv.broker.names(k, pattern)
		c.w.Array(len(names))
		for _, n := range names {
			c.w.BulkString(n)
		}
		return nil
	}
}

func pubsubNumSub(k topicKind) func(c *call) error {
	return func(c *call) error {
		c.w.Array(2 * (len(c.args) - 2)) // no map in version 3 either: clients pair the elements themselves
		for _, name := range c.args[2:] {
			c.w.Bulk(name)
			c.w.Int(int64(c.srv.broker.subscribers(k, name)))
		}
		return nil
	}
}
