package httpapi

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/isobath/isobath/server/service"
)

// queryInput is the query of a request: a vector, a point's id, or another kind by name.
type queryInput struct {
	vector []float32
	id     *pointID
	order  *orderBody
	other  string // what is not supported yet, with its verb
}

func (q *queryInput) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case '{':
		return q.object(dec)
	case 'n':
		return mismatch(dec, "", "a query")
	}
	return q.input(dec)
}

// input reads a vector input: an array or an id.
func (q *queryInput) input(dec *jsontext.Decoder) (err error) {
	switch dec.PeekKind() {
	case '[':
		q.vector, err = readDense(dec)
		return err
	case '0', '"':
		return json.UnmarshalDecode(dec, &q.id)
	case '{':
		return unsupported("sparse vectors and inference objects are")
	}
	return mismatch(dec, "", "a vector or a point id")
}

func (q *queryInput) object(dec *jsontext.Decoder) error {
	err := readObject(dec, func(name string) error {
		switch name {
		case "nearest":
			return q.input(dec)
		case "order_by":
			return json.UnmarshalDecode(dec, &q.order)
		case "mmr":
			if dec.PeekKind() != 'n' {
				q.other = "mmr is"
			}
		case "recommend", "discover", "context", "fusion", "rrf", "formula", "sample", "relevance_feedback":
			q.other = kindNotYet(name)
		case "indices", "values":
			q.other = "sparse vectors are"
		case "text", "image", "object", "model":
			q.other = "inference is"
		}
		return dec.SkipValue()
	})
	if err == nil && q.other == "" && q.vector == nil && q.id == nil && q.order == nil {
		err = errors.New("data did not match any variant of untagged enum QueryInterface")
	}
	return err
}

// paramsBody are the search parameters.
type paramsBody struct {
	HNSWEf       *uint64             `json:"hnsw_ef"`
	Exact        *bool               `json:"exact"`
	IndexedOnly  *bool               `json:"indexed_only"`
	Quantization *quantizationSearch `json:"quantization"`
	Acorn        *acornBody          `json:"acorn"`
	IDF          jsontext.Value      `json:"idf"`
}

type quantizationSearch struct {
	Ignore       *bool    `json:"ignore"`
	Rescore      *bool    `json:"rescore"`
	Oversampling *float64 `json:"oversampling"`
}

type acornBody struct {
	Enable         *bool    `json:"enable"`
	MaxSelectivity *float64 `json:"max_selectivity"`
}

func (p *paramsBody) check(v *violations, at string) {
	if p == nil {
		return
	}
	atLeast(v, at+"params.hnsw_ef", p.HNSWEf, 1)
	if p.Quantization != nil {
		atLeast(v, at+"params.quantization.oversampling", p.Quantization.Oversampling, 1)
	}
	if p.Acorn != nil {
		between(v, at+"params.acorn.max_selectivity", p.Acorn.MaxSelectivity, 0, 1)
	}
}

func (p *paramsBody) apply(q *service.Query) error {
	if p == nil {
		return nil
	}
	if k := p.IDF.Kind(); k != 0 && k != 'n' {
		return badRequest("parameter idf is only for sparse vectors with modifier idf")
	}
	if p.HNSWEf != nil {
		q.Ef = *p.HNSWEf
	}
	q.Exact = p.Exact != nil && *p.Exact
	q.IndexedOnly = p.IndexedOnly != nil && *p.IndexedOnly
	if z := p.Quantization; z != nil && !q.Exact {
		q.Rows = z.Ignore != nil && *z.Ignore
		q.Approximate = z.Rescore != nil && !*z.Rescore && !q.Rows
		if z.Oversampling != nil && *z.Oversampling > 1 {
			q.Oversampling = *z.Oversampling
		}
	}
	return nil
}

type lookupBody struct {
	Collection *string  `json:"collection"`
	Vector     *string  `json:"vector"`
	Shard      shardKey `json:"shard_key"`
}

// queryBody is the body of points/query.
type queryBody struct {
	Query       *queryInput    `json:"query"`
	Prefetch    jsontext.Value `json:"prefetch"`
	Using       *string        `json:"using"`
	Filter      *filterBody    `json:"filter"`
	Params      *paramsBody    `json:"params"`
	Threshold   *float32       `json:"score_threshold"`
	Limit       *uint64        `json:"limit"`
	Offset      *uint64        `json:"offset"`
	WithPayload payloadSelect  `json:"with_payload"`
	WithVector  vectorSelect   `json:"with_vector"`
	WithVectors vectorSelect   `json:"with_vectors"`
	LookupFrom  *lookupBody    `json:"lookup_from"`
	Shard       shardKey       `json:"shard_key"`
}

func (b *queryBody) validate(v *violations) { b.check(v, "internal.") }

func (b *queryBody) check(v *violations, at string) {
	atLeast(v, at+"limit", b.Limit, 1)
	if b.Query != nil && b.Query.vector != nil && len(b.Query.vector) == 0 {
		v.add(at+"query", "dense vector must not be empty")
	}
	b.Params.check(v, at)
}

const defaultLimit = 10

// query returns what the service executes.
func (b *queryBody) query() (q service.Query, err error) {
	prefetch := given(b.Prefetch) && !(b.Prefetch.Kind() == '[' && empty(b.Prefetch))
	switch {
	case prefetch && b.Query == nil:
		return q, badRequest("A query is needed to merge the prefetches. Can't have prefetches without defining a query.")
	case b.Threshold != nil && b.Query == nil:
		return q, badRequest("A query is needed to use the score_threshold. Can't have score_threshold without defining a query.")
	case b.Query != nil && b.Query.other != "":
		return q, b.refuseKind()
	case prefetch:
		return q, unsupported("prefetch is")
	case b.Query != nil && b.Query.order != nil && b.Threshold != nil:
		return q, badRequest("Can't use score_threshold with an order_by query.")
	}
	q = service.Query{Threshold: b.Threshold, Limit: defaultLimit, Fetch: fetchOf(b.WithPayload, false, b.WithVector, b.WithVectors)}
	if b.Query != nil {
		q.Vector = b.Query.vector
		if b.Query.id != nil {
			q.ID = &b.Query.id.id
		}
		if b.Query.order != nil {
			q.Order = &b.Query.order.order
		}
	}
	if b.Using != nil {
		q.Using = *b.Using
	}
	if b.Limit != nil {
		q.Limit = *b.Limit
	}
	if b.Offset != nil {
		q.Offset = *b.Offset
	}
	if b.LookupFrom != nil {
		if b.LookupFrom.Collection == nil {
			return q, formatError("lookup_from: missing field `collection`")
		}
		q.LookupCollection, q.LookupVector = b.LookupFrom.Collection, b.LookupFrom.Vector
	}
	if err := b.Params.apply(&q); err != nil {
		return q, err
	}
	q.Filter, err = b.Filter.expr()
	return q, err
}

// refuseKind refuses a query kind that is not served yet; a combination that never will be is
// said first.
func (b *queryBody) refuseKind() error {
	switch b.Query.other {
	case kindNotYet("fusion"), kindNotYet("rrf"):
		if b.Using != nil && *b.Using != "" {
			return badRequest("Fusion queries cannot be combined with the 'using' field.")
		}
	}
	return unsupported(b.Query.other)
}

func kindNotYet(kind string) string { return "query kind `" + kind + "` is" }

// queryBatchBody is the body of points/query/batch.
type queryBatchBody struct {
	Searches []queryBody `json:"searches"`
}

func (b *queryBatchBody) validate(v *violations) {
	for i := range b.Searches {
		b.Searches[i].check(v, fmt.Sprintf("searches[%d].internal.", i))
	}
}

func (b *queryBatchBody) queries() ([]service.Query, error) {
	if b.Searches == nil {
		return nil, formatError("missing field `searches`")
	}
	qs := make([]service.Query, len(b.Searches))
	var err error
	for i := range b.Searches {
		if qs[i], err = b.Searches[i].query(); err != nil {
			return nil, err
		}
	}
	return qs, nil
}

// searchVector is the vector of a legacy search: an array or {name, vector}.
type searchVector struct {
	name   string
	vector []float32
}

func (s *searchVector) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	if dec.PeekKind() == '[' {
		s.vector, err = readDense(dec)
		return err
	}
	err = readObject(dec, func(name string) (err error) {
		switch name {
		case "name":
			return json.UnmarshalDecode(dec, &s.name)
		case "vector":
			if dec.PeekKind() == '{' {
				return unsupported("sparse vectors are")
			}
			if dec.PeekKind() != '[' {
				return mismatch(dec, "", "a sequence of numbers")
			}
			s.vector, err = readDense(dec)
			return err
		}
		return dec.SkipValue()
	})
	if err == nil && s.vector == nil {
		err = errors.New("data did not match any variant of untagged enum NamedVectorStruct")
	}
	return err
}

// searchBody is the body of the legacy points/search.
type searchBody struct {
	Vector      *searchVector `json:"vector"`
	Filter      *filterBody   `json:"filter"`
	Params      *paramsBody   `json:"params"`
	Limit       *uint64       `json:"limit"`
	Top         *uint64       `json:"top"`
	Offset      *uint64       `json:"offset"`
	WithPayload payloadSelect `json:"with_payload"`
	WithVector  vectorSelect  `json:"with_vector"`
	WithVectors vectorSelect  `json:"with_vectors"`
	Threshold   *float32      `json:"score_threshold"`
	Shard       shardKey      `json:"shard_key"`
}

func (b *searchBody) validate(v *violations) { b.check(v, "") }

func (b *searchBody) check(v *violations, at string) {
	if b.Limit == nil {
		b.Limit = b.Top
	}
	atLeast(v, at+"limit", b.Limit, 1)
	if b.Vector != nil && len(b.Vector.vector) == 0 {
		v.add(at+"vector", "dense vector must not be empty")
	}
	b.Params.check(v, at)
}

func (b *searchBody) query() (service.Query, error) {
	switch {
	case b.Vector == nil:
		return service.Query{}, formatError("missing field `vector`")
	case b.Limit == nil:
		return service.Query{}, formatError("missing field `limit`")
	}
	full := queryBody{
		Query: &queryInput{vector: b.Vector.vector}, Using: &b.Vector.name, Filter: b.Filter, Params: b.Params, Threshold: b.Threshold,
		Limit: b.Limit, Offset: b.Offset, WithPayload: b.WithPayload, WithVector: b.WithVector, WithVectors: b.WithVectors,
	}
	return full.query()
}

// searchBatchBody is the body of points/search/batch.
type searchBatchBody struct {
	Searches []searchBody `json:"searches"`
}

func (b *searchBatchBody) validate(v *violations) {
	for i := range b.Searches {
		b.Searches[i].check(v, fmt.Sprintf("searches[%d].", i))
	}
}

func (b *searchBatchBody) queries() ([]service.Query, error) {
	if b.Searches == nil {
		return nil, formatError("missing field `searches`")
	}
	qs := make([]service.Query, len(b.Searches))
	var err error
	for i := range b.Searches {
		if qs[i], err = b.Searches[i].query(); err != nil {
			return nil, err
		}
	}
	return qs, nil
}
