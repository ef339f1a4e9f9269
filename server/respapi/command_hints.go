package respapi

import (
	"slices"
	"strings"
)

// keyUses tells what a command does with its keys, in the words of COMMAND, where that is not what its flags imply. Two uses:
// each is of one key.
var keyUses = map[string][]string{
	"append":          {"RW insert"},
	"copy":            {"RO access", "OW update"},
	"del":             {"RM delete"},
	"exists":          {"RO"},
	"expire":          {"RW update"},
	"expireat":        {"RW update"},
	"getdel":          {"RW access delete"},
	"hdel":            {"RW delete"},
	"hexists":         {"RO"},
	"hgetdel":         {"RW access delete"},
	"hlen":            {"RO"},
	"hmset":           {"RW update"},
	"hset":            {"RW update"},
	"hsetnx":          {"RW insert"},
	"hstrlen":         {"RO"},
	"memory|usage":    {"RO"},
	"mset":            {"OW update"},
	"msetnx":          {"OW insert"},
	"object|encoding": {"RO"},
	"object|freq":     {"RO"},
	"object|idletime": {"RO"},
	"object|refcount": {"RO"},
	"persist":         {"RW update"},
	"pexpire":         {"RW update"},
	"pexpireat":       {"RW update"},
	"psetex":          {"OW update"},
	"rename":          {"RW access delete", "OW update"},
	"renamenx":        {"RW access delete", "OW insert"},
	"set":             {"RW access update variable_flags"},
	"setex":           {"OW update"},
	"setnx":           {"OW insert"},
	"setrange":        {"RW update"},
	"spublish":        {"not_key"},
	"ssubscribe":      {"not_key"},
	"strlen":          {"RO"},
	"sunsubscribe":    {"not_key"},
	"touch":           {"RO"},
	"type":            {"RO"},
	"unlink":          {"RM delete"},
	"watch":           {"RO"},
}

// tips tell cluster clients where to send a command and how to join the replies.
var tips = map[string]string{
	"command":          "nondeterministic_output_order",
	"command|docs":     "nondeterministic_output_order",
	"command|info":     "nondeterministic_output_order",
	"command|list":     "nondeterministic_output_order",
	"client|info":      "nondeterministic_output",
	"client|list":      "nondeterministic_output",
	"config|resetstat": "request_policy:all_nodes response_policy:all_succeeded",
	"config|rewrite":   "request_policy:all_nodes response_policy:all_succeeded",
	"config|set":       "request_policy:all_nodes response_policy:all_succeeded",
	"dbsize":           "request_policy:all_shards response_policy:agg_sum",
	"del":              "request_policy:multi_shard response_policy:agg_sum",
	"exists":           "request_policy:multi_shard response_policy:agg_sum",
	"flushall":         "request_policy:all_shards response_policy:all_succeeded",
	"flushdb":          "request_policy:all_shards response_policy:all_succeeded",
	"hgetall":          "nondeterministic_output_order",
	"hkeys":            "nondeterministic_output_order",
	"hrandfield":       "nondeterministic_output",
	"hscan":            "nondeterministic_output",
	"hvals":            "nondeterministic_output_order",
	"info":             "nondeterministic_output request_policy:all_shards response_policy:special",
	"keys":             "request_policy:all_shards nondeterministic_output_order",
	"lastsave":         "nondeterministic_output",
	"latency|doctor":   "nondeterministic_output request_policy:all_nodes response_policy:special",
	"latency|history":  "nondeterministic_output request_policy:all_nodes response_policy:special",
	"latency|latest":   "nondeterministic_output request_policy:all_nodes response_policy:special",
	"latency|reset":    "request_policy:all_nodes response_policy:all_succeeded",
	"memory|doctor":    "nondeterministic_output request_policy:all_shards response_policy:special",
	"mget":             "request_policy:multi_shard",
	"module|list":      "nondeterministic_output_order",
	"mset":             "request_policy:multi_shard response_policy:all_succeeded",
	"msetnx":           "request_policy:multi_shard response_policy:agg_min",
	"object|encoding":  "nondeterministic_output",
	"object|freq":      "nondeterministic_output",
	"object|idletime":  "nondeterministic_output",
	"object|refcount":  "nondeterministic_output",
	"ping":             "request_policy:all_shards response_policy:all_succeeded",
	"pttl":             "nondeterministic_output",
	"randomkey":        "request_policy:all_shards nondeterministic_output",
	"scan":             "nondeterministic_output request_policy:special",
	"slowlog|get":      "request_policy:all_nodes nondeterministic_output",
	"slowlog|len":      "request_policy:all_nodes response_policy:agg_sum nondeterministic_output",
	"slowlog|reset":    "request_policy:all_nodes response_policy:all_succeeded",
	"time":             "nondeterministic_output",
	"touch":            "request_policy:multi_shard response_policy:agg_sum",
	"ttl":              "nondeterministic_output",
	"unlink":           "request_policy:multi_shard response_policy:agg_sum",
	"wait":             "request_policy:all_shards response_policy:agg_min",
}

// keyUse returns the words for the nth key.
func (cmd *command) keyUse(n int) []string {
	uses := keyUses[cmd.name]
	switch {
	case len(uses) > 0:
		return strings.Fields(uses[min(n, len(uses)-1)])
	case cmd.flags&flagWrite != 0:
		return []string{"RW", "access", "update"}
	}
	return []string{"RO", "access"}
}

// keyUseIn is keyUse for given arguments. Of the commands only SET has keys whose use depends on them.
func (cmd *command) keyUseIn(args [][]byte, n int) []string {
	use := cmd.keyUse(n)
	if !slices.Contains(use, "variable_flags") {
		return use
	}
	if slices.ContainsFunc(args[3:], func(a []byte) bool { return is(a, "get") }) {
		return []string{"RW", "access", "update"}
	}
	return []string{"OW", "update"}
}

// notKeys says whether what stands in the place of keys is something else, which is sent to the same node as a key would be.
func (cmd *command) notKeys() bool { return slices.Equal(keyUses[cmd.name], []string{"not_key"}) }
