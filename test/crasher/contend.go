package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/isobath/isobath/test/oracle"
)

const (
	counterKey, counterField = "stats", "hits" // incremented by two clients through pipelines
	watchedKey               = "watched"       // incremented by two clients with WATCH
)

// increment sends one pipeline of HINCRBY.
func increment(ctx context.Context, c *redis.Client, t *oracle.Tally, n int) error {
	pipe := c.Pipeline()
	for range n {
		pipe.HIncrBy(ctx, counterKey, counterField, 1)
	}
	t.Sent(n)
	replies, err := pipe.Exec(ctx)
	for _, r := range replies {
		if r.Err() != nil {
			return fmt.Errorf("HINCRBY: %w", r.Err())
		}
		if err := t.Acked(r.(*redis.IntCmd).Val()); err != nil {
			return &wrong{err}
		}
	}
	return err
}

func incrementer(client int, seed uint64, t *oracle.Tally) func(context.Context, *server) error {
	rng := rand.New(rand.NewPCG(seed, 2000+uint64(client)))
	return func(ctx context.Context, s *server) error {
		return increment(ctx, s.redis[client], t, logUniform(rng, 300))
	}
}

// contender is one of two clients in a round.
type contender struct {
	read  chan int64 // the value it saw under WATCH
	exec  chan bool  // both have read: go on, or give up
	ended chan error
}

// watchRound lets two clients WATCH and read one key, and then both EXEC an increment. Exactly
// one must succeed.
func watchRound(ctx context.Context, clients [2]*redis.Client, t *oracle.Tally) error {
	var both [2]*contender
	for i, c := range clients {
		both[i] = &contender{make(chan int64, 1), make(chan bool, 1), make(chan error, 1)}
		go both[i].run(ctx, c)
	}
	values, failed := [2]int64{}, error(nil)
	for i, c := range both {
		select {
		case values[i] = <-c.read:
		case err := <-c.ended:
			failed = errors.Join(failed, err)
			c.ended <- err
		}
	}
	if failed == nil && values[0] != values[1] {
		failed = &wrong{fmt.Errorf("two clients read %d and %d, nobody wrote", values[0], values[1])}
	}
	if failed == nil {
		t.Sent(1)
	}
	for _, c := range both {
		c.exec <- failed == nil
	}
	won := 0
	var lost error
	for _, c := range both {
		switch err := <-c.ended; {
		case err == nil:
			won++
		case !errors.Is(err, redis.TxFailedErr):
			lost = errors.Join(lost, err) // the outcome may be unknown
		}
	}
	switch {
	case failed != nil:
		return failed
	case won == 2 || won == 0 && lost == nil:
		return &wrong{fmt.Errorf("%d of two EXECs under WATCH succeeded at %d", won, values[0])}
	case won == 1:
		if err := t.Acked(values[0] + 1); err != nil {
			return &wrong{err}
		}
	}
	return lost
}

var errGivenUp = errors.New("the other client has failed")

func (k *contender) run(ctx context.Context, c *redis.Client) {
	k.ended <- c.Watch(ctx, func(tx *redis.Tx) error {
		value, err := tx.Get(ctx, watchedKey).Int64()
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		k.read <- value
		if !<-k.exec {
			return errGivenUp
		}
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, watchedKey, strconv.FormatInt(value+1, 10), 0)
			return nil
		})
		return err
	}, watchedKey)
}
