package service

import (
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/isobath/isobath/engine"
)

// KeyField is the member that holds the key in payloads made from documents.
const KeyField = "__key"

// vectorSources returns the document fields that hold vectors, which no payload repeats.
func vectorSources(x *engine.IndexInfo) map[string]bool {
	skip := map[string]bool{}
	if x == nil {
		return skip
	}
	for _, f := range x.Def.Fields {
		if f.Type == engine.FieldVector {
			skip[f.Source] = true
		}
	}
	return skip
}

// documentPayload returns the JSON object of a hash: its fields as strings, without those in
// skip and those that are not text.
func documentPayload(key []byte, d engine.Document, skip map[string]bool) []byte {
	out := append([]byte(`{"`+KeyField+`":`), quote(key)...)
	if d.Kind == engine.KindHash {
		for field, value := range engine.HashFields(d.Body) {
			if skip[string(field)] || string(field) == KeyField || !utf8.Valid(field) || !utf8.Valid(value) {
				continue
			}
			out = append(append(out, ','), quote(field)...)
			out = append(append(out, ':'), quote(value)...)
		}
	}
	return append(out, '}')
}

// quote returns text as a JSON string; bytes that are not UTF-8 are replaced.
func quote(text []byte) []byte {
	out, _ := jsontext.AppendQuote(nil, text) // the error only says that bytes were replaced
	return out
}
