package engine_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/isobath/isobath/engine"
	"github.com/isobath/isobath/filter"
)

// The database embedded: no server, one directory.
func Example() {
	dir, err := os.MkdirTemp("", "isobath")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := engine.Open(dir, engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	err = db.CreateCollection(ctx, "cities", engine.Schema{Vectors: map[string]engine.VectorParams{
		"": {Size: 2, Distance: engine.Euclid},
	}})
	if err != nil {
		log.Fatal(err)
	}
	cities, err := db.Collection("cities")
	if err != nil {
		log.Fatal(err)
	}
	_, err = cities.Upsert(ctx, []engine.Point{
		{ID: engine.NumID(1), Vectors: engine.Vectors{"": {52.5, 13.4}}, Payload: []byte(`{"name":"Berlin","country":"de"}`)},
		{ID: engine.NumID(2), Vectors: engine.Vectors{"": {48.9, 2.4}}, Payload: []byte(`{"name":"Paris","country":"fr"}`)},
		{ID: engine.NumID(3), Vectors: engine.Vectors{"": {53.6, 10.0}}, Payload: []byte(`{"name":"Hamburg","country":"de"}`)},
	}, engine.UpsertOptions{})
	if err != nil {
		log.Fatal(err)
	}

	res, err := cities.Search(ctx, engine.SearchRequest{
		Query:  []float32{50.9, 6.9},
		K:      2,
		Filter: filter.Match{Field: "country", Value: filter.StringValue("de")},
		Fetch:  engine.Fetch{Payload: true},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, hit := range res.Hits {
		fmt.Printf("%s %.2f %s\n", hit.ID, hit.Distance, hit.Payload)
	}
	if err := db.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 3 16.90 {"name":"Hamburg","country":"de"}
	// 1 44.81 {"name":"Berlin","country":"de"}
}
