package respapi

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/isobath/isobath/engine/keyspace"
)

const (
	clusterSlots = 16384
	clusterFlags = flagLoading | flagStale
)

// clusterCommands let cluster clients work against the one node: every slot is here.
var clusterCommands = []command{
	{name: "cluster", arity: -2, flags: clusterFlags, cats: "@connection", group: "cluster", since: "3.0.0", summary: "A container for Redis Cluster commands.", subs: []command{
		clusterSub("slots", 2, "Returns the mapping of cluster slots to nodes.", clusterSlotsReply),
		clusterSub("shards", 2, "Returns the mapping of cluster slots to shards.", clusterShards),
		clusterSub("nodes", 2, "Returns the cluster configuration for a node.", clusterNodes),
		clusterSub("info", 2, "Returns information about the state of a node.", clusterInfo),
		clusterSub("myid", 2, "Returns the ID of a node.", func(c *call) error { c.w.BulkString(c.srv.nodeID); return nil }),
		clusterSub("myshardid", 2, "Returns the shard ID of a node.", func(c *call) error { c.w.BulkString(c.srv.nodeID); return nil }),
		clusterSub("keyslot", 3, "Returns the hash slot for a key.", func(c *call) error { c.w.Int(int64(keySlot(c.args[2]))); return nil }),
		clusterOutside("countkeysinslot", 3, "Returns the number of keys in a hash slot.", clusterCountKeys),
		clusterOutside("getkeysinslot", 4, "Returns the key names in a hash slot.", clusterGetKeys),
		clusterSub("links", 2, "Returns a list of all TCP links to and from peer nodes.", func(c *call) error { c.w.Array(0); return nil }),
		clusterSub("replicas", 3, "Lists the replica nodes of a master node.", func(c *call) error { c.w.Array(0); return nil }),
		clusterSub("slaves", 3, "Lists the replica nodes of a master node.", func(c *call) error { c.w.Array(0); return nil }),
		clusterSub("count-failure-reports", 3, "Returns the number of active failure reports active for a node.", func(c *call) error { c.w.Int(0); return nil }),
		clusterSub("help", 2, "Returns helpful text about the different subcommands.", help("CLUSTER",
			"SLOTS", "    Return information about slots range mappings.", "SHARDS", "    Return information about slot range mappings and the nodes associated with them.",
			"NODES", "    Return cluster configuration seen by node.", "INFO", "    Return information about the cluster.",
			"MYID", "    Return the node id.", "KEYSLOT <key>", "    Return the hash slot for <key>.")),
	}},
	{name: "readonly", arity: 1, flags: clusterFlags | flagFast, cats: "@connection", group: "cluster", since: "3.0.0", summary: "Enables read-only queries for a connection to a Redis Cluster replica node.", run: func(c *call) error { return c.ok(nil) }},
	{name: "readwrite", arity: 1, flags: clusterFlags | flagFast, cats: "@connection", group: "cluster", since: "3.0.0", summary: "Enables read-write queries for a connection to a Redis Cluster replica node.", run: func(c *call) error { return c.ok(nil) }},
	{name: "asking", arity: 1, flags: flagFast, cats: "@connection", group: "cluster", since: "3.0.0", summary: "Signals that a cluster client is following an -ASK redirect.", run: func(c *call) error { return c.ok(nil) }},
}

// clusterSub is a subcommand that is refused when the emulation is switched off.
func clusterSub(name string, arity int, summary string, run func(c *call) error) command {
	return command{name: "cluster|" + name, arity: arity, flags: clusterFlags, cats: "@connection", summary: summary, run: func(c *call) error {
		if !c.srv.config.Bool("cluster-emulation") {
			return errNotCluster
		}
		return run(c)
	}}
}

func clusterOutside(name string, arity int, summary string, run func(c *call) error) command {
	cmd := clusterSub(name, arity, summary, run)
	cmd.flags |= flagOutside
	return cmd
}

// address is where this client finds the server: the side of its socket that is here, or
// what is announced.
func (c *call) address() (host string, port int64) {
	host, text, err := net.SplitHostPort(c.conn.laddr)
	if err != nil {
		host, text = "127.0.0.1", c.srv.config.String("port")
	}
	if name := c.srv.config.String("cluster-announce-hostname"); name != "" {
		host = name
	}
	port, _ = strconv.ParseInt(text, 10, 64)
	return host, port
}

func clusterSlotsReply(c *call) error {
	host, port := c.address()
	c.w.Array(1)
	c.w.Array(3)
	c.w.Int(0)
	c.w.Int(clusterSlots - 1)
	c.w.Array(4)
	c.w.BulkString(host)
	c.w.Int(port)
	c.w.BulkString(c.srv.nodeID)
	c.w.Array(0)
	return nil
}

func clusterShards(c *call) error {
	host, port := c.address()
	w := c.w
	w.Array(1)
	w.Map(2)
	w.BulkString("slots")
	w.Array(2)
	w.Int(0)
	w.Int(clusterSlots - 1)
	w.BulkString("nodes")
	w.Array(1)
	w.Map(8)
	for _, f := range [][2]string{{"id", c.srv.nodeID}, {"port", ""}, {"ip", host}, {"endpoint", host},
		{"hostname", c.srv.config.String("cluster-announce-hostname")}, {"role", "master"}, {"replication-offset", ""}, {"health", "online"}} {
		w.BulkString(f[0])
		switch f[0] {
		case "port":
			w.Int(port)
		case "replication-offset":
			w.Int(0)
		default:
			w.BulkString(f[1])
		}
	}
	return nil
}

func clusterNodes(c *call) error {
	host, port := c.address()
	c.w.Verbatim("txt", fmt.Sprintf("%s %s:%d@%d,%s myself,master - 0 0 1 connected 0-%d\n",
		c.srv.nodeID, host, port, port+10000, c.srv.config.String("cluster-announce-hostname"), clusterSlots-1))
	return nil
}

func clusterInfo(c *call) error {
	c.w.Verbatim("txt", strings.Join([]string{
		"cluster_enabled:1", "cluster_state:ok", "cluster_slots_assigned:16384", "cluster_slots_ok:16384", "cluster_slots_pfail:0",
		"cluster_slots_fail:0", "cluster_known_nodes:1", "cluster_size:1", "cluster_current_epoch:1", "cluster_my_epoch:1",
		"cluster_stats_messages_sent:0", "cluster_stats_messages_received:0", "",
	}, "\r\n"))
	return nil
}

func clusterCountKeys(c *call) error {
	keys, err := c.keysInSlot(-1)
	if err == nil {
		c.w.Int(int64(len(keys)))
	}
	return err
}

func clusterGetKeys(c *call) error {
	n, err := parseInt(c.args[3])
	if err != nil || n < 0 {
		return replyError("ERR Invalid number of keys")
	}
	keys, err := c.keysInSlot(n)
	if err == nil {
		c.bulks(keys)
	}
	return err
}

// slotScan is how many keys are looked at in one step.
const slotScan = 10_000

// keysInSlot looks through all keys for up to limit (negative: all) of the slot in args[2].
func (c *call) keysInSlot(limit int64) (found [][]byte, err error) {
	slot, err := parseInt(c.args[2])
	if err != nil || slot < 0 || slot >= clusterSlots {
		return nil, replyError("ERR Invalid slot")
	}
	return found, c.view(func(v *keyspace.View) error {
		for cursor := uint64(0); ; {
			next, keys, err := v.Scan(cursor, keyspace.ScanOptions{Count: slotScan})
			if err != nil {
				return err
			}
			for _, k := range keys {
				if limit >= 0 && int64(len(found)) >= limit {
					return nil
				}
				if int64(keySlot(k)) == slot {
					found = append(found, k)
				}
			}
			if cursor = next; cursor == 0 {
				return c.ctx.Err()
			}
		}
	})
}

// keySlot is CRC-16/XMODEM of the key, or of what stands in its first {braces}, modulo 16384.
func keySlot(key []byte) uint16 {
	if i := bytes.IndexByte(key, '{'); i >= 0 {
		if n := bytes.IndexByte(key[i+1:], '}'); n > 0 {
			key = key[i+1 : i+1+n]
		}
	}
	var crc uint16
	for _, b := range key {
		crc ^= uint16(b) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc % clusterSlots
}
