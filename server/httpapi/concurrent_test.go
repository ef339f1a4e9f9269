package httpapi

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/server/service"
)

func TestOneOfManyCreationsWins(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	for round := range 3 {
		var won, lost atomic.Int32
		var all sync.WaitGroup
		for range 30 {
			all.Go(func() {
				switch f.do("PUT /collections/c", `{"vectors":{"size":4,"distance":"Dot"}}`).status {
				case 200:
					won.Add(1)
				case 409:
					lost.Add(1)
				}
			})
		}
		all.Wait()
		require.Equal(t, int32(1), won.Load(), "round %d", round)
		require.Equal(t, int32(29), lost.Load())
		require.Equal(t, "true", f.ok("DELETE /collections/c", ""))
	}
}

// Readers, writers and configuration changes at once; the race detector and the final count judge.
func TestEverythingAtOnce(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.small("c", "Dot")
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 15 {
				id := 100 + g*100 + i
				f.ok("PUT /collections/c/points?wait=true", fmt.Sprintf(`{"points":[{"id":%d,"vector":[1,0,%d,0],"payload":{"g":%d}}]}`, id, i, g))
				f.ok("POST /collections/c/points/payload", fmt.Sprintf(`{"points":[%d],"payload":{"i":%d}}`, id, i))
				require.Contains(t, f.ok("POST /collections/c/points/query", fmt.Sprintf(`{"query":[1,0,0,0],"filter":{"must":{"has_id":[%d]}}}`, id)), fmt.Sprint(id))
				f.ok("PATCH /collections/c", fmt.Sprintf(`{"metadata":{"k%d":%d}}`, id, i))
			}
		})
	}
	all.Wait()
	f.ok("POST /collections/c/points/delete?wait=true", `{"points":[]}`)
	require.JSONEq(t, `{"count":66}`, f.ok("POST /collections/c/points/count", `{}`))
	require.JSONEq(t, `{"count":60}`, f.ok("POST /collections/c/points/count", `{"filter":{"must":{"key":"i","range":{"gte":0}}}}`))
	require.Len(t, keysOf(t, member(t, member(t, f.ok("GET /collections/c", ""), "config"), "metadata")), 60, "no update is lost")
}

// A request that waits for a payload index ends when the collection goes before the index is built.
func TestWaitingForAnIndexOfADroppedCollection(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	for round := range 40 {
		f.small("c", "Dot")
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				a := f.do("PUT /collections/c/index?wait=true&timeout=20", `{"field_name":"n","field_schema":"integer"}`)
				require.Contains(t, []int{200, 404}, a.status, a.text)
				require.NotContains(t, a.text, "wait_timeout", "round %d", round)
			})
			all.Go(func() { f.do("DELETE /collections/c", "") })
		}
		all.Wait()
		f.do("DELETE /collections/c", "")
	}
}
