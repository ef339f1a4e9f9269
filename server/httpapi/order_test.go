package httpapi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/server/service"
)

func TestOrderBy(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	f.small("c", "Dot")
	const c = "/collections/c"
	const scroll, query = "POST " + c + "/points/scroll", "POST " + c + "/points/query"
	f.ok("PUT "+c+"/points?wait=true", `{"points":[
		{"id":7,"vector":[1,0,0,0],"payload":{"n":[2,9],"at":"2024-05-01T00:00:00Z"}},
		{"id":8,"vector":[1,0,0,0],"payload":{"n":"text","at":"2024-05-02"}}]}`)
	for _, field := range []string{`"n","field_schema":"float"`, `"at","field_schema":"datetime"`, `"city","field_schema":"keyword"`} {
		f.ok("PUT "+c+"/index?wait=true", `{"field_name":`+field+`}`)
	}
	ids := func(body string) string {
		return f.ok(scroll, `{"with_payload":false,`+body+`}`)
	}
	require.Equal(t, `{"points":[{"id":1,"order_value":1.0},{"id":2,"order_value":2.0},{"id":7,"order_value":2.0},`+
		`{"id":3,"order_value":3.0},{"id":4,"order_value":4.0},{"id":"5c56c793-69f3-4fbf-87e6-c4bf54c28c26","order_value":5.5},`+
		`{"id":7,"order_value":9.0}],"next_page_offset":null}`, ids(`"order_by":"n"`))
	require.Equal(t, `{"points":[{"id":3,"order_value":3.0},{"id":7,"order_value":2.0},{"id":2,"order_value":2.0}],"next_page_offset":null}`,
		ids(`"limit":3,"order_by":{"key":"n","direction":"desc","start_from":3}`))
	require.Equal(t, `{"points":[{"id":2,"order_value":2.0},{"id":4,"order_value":4.0}],"next_page_offset":null}`,
		ids(`"order_by":"n","filter":{"must":[{"key":"city","match":{"value":"London"}}]}`), "with an index")
	require.Equal(t, `{"points":[{"id":4,"order_value":4.0}],"next_page_offset":null}`,
		ids(`"order_by":"n","filter":{"must":[{"key":"city[]","match":{"value":"London"}},{"key":"city[0]","match":{"value":"London"}}]}`), "evaluated on payloads")
	require.Equal(t, `{"points":[{"id":7,"order_value":1714521600000000},{"id":8,"order_value":1714608000000000}],"next_page_offset":null}`,
		ids(`"order_by":{"key":"at","start_from":"2024-01-01"}`))

	// An integer index has no floats; without ranges it keeps no order.
	f.ok("PUT "+c+"/index?wait=true", `{"field_name":"n","field_schema":"integer"}`)
	require.Equal(t, `{"points":[{"id":7,"order_value":9},{"id":4,"order_value":4}],"next_page_offset":null}`,
		ids(`"limit":2,"order_by":{"key":"n","direction":"desc"}`))
	require.JSONEq(t, `{"points":[{"id":3,"version":0,"score":1.0,"order_value":3},{"id":4,"version":0,"score":1.0,"order_value":4}]}`,
		f.ok(query, `{"query":{"order_by":{"key":"n","start_from":2.5}},"limit":2}`))
	require.JSONEq(t, `{"points":[{"id":4,"version":0,"score":1.0,"order_value":4,"payload":{"city":["London","Moscow"],"n":4}}]}`,
		f.ok(query, `{"query":{"order_by":"n"},"limit":1,"offset":4,"with_payload":true}`))
	f.fails(400, "Not existing vector name error: absent", query, `{"query":{"order_by":"n"},"using":"absent"}`)
	f.ok("PUT "+c+"/index?wait=true", `{"field_name":"n","field_schema":{"type":"integer","lookup":true,"range":false}}`)
	f.fails(400, "No range index for `order_by` key: `n`", scroll, `{"order_by":"n"}`)
	f.fails(400, "No range index for `order_by` key: `city`", query, `{"query":{"order_by":"city"}}`)
}

func TestOrderByAnIndexThatIsBeingBuilt(t *testing.T) {
	f := startEngine(t, engine.Options{Workers: -1}, service.Options{}, Options{}) // nobody builds it
	f.small("c", "Dot")
	f.ok("PUT /collections/c/index", `{"field_name":"n","field_schema":"float"}`)
	for target, body := range map[string]string{"scroll": `{"order_by":"n"}`, "query": `{"query":{"order_by":"n"}}`} {
		f.fails(400, "No range index for `order_by` key: `n`", "POST /collections/c/points/"+target, body)
	}
}

func TestOrderByInfiniteValues(t *testing.T) {
	f := start(t, service.Options{}, Options{})
	require.NoError(t, f.db.CreateIndex(t.Context(), engine.IndexDef{Name: "ft", Fields: []engine.IndexField{{Source: "n", Alias: "n", Type: engine.FieldNumeric}}}))
	ticket, err := f.db.Update(func(tx *engine.KeyTx) error {
		for _, n := range []string{"inf", "1", "-inf"} {
			if err := tx.Put(0, []byte(n), engine.Document{Kind: engine.KindHash, Body: engine.AppendHashField(nil, []byte("n"), []byte(n))}); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, ticket.Wait(t.Context()))
	require.JSONEq(t, `{"points":[{"id":3,"order_value":-1.7976931348623157e308},{"id":2,"order_value":1.0},{"id":1,"order_value":1.7976931348623157e308}],
		"next_page_offset":null}`, f.ok("POST /collections/ft/points/scroll", `{"order_by":"n","with_payload":false}`))
}
