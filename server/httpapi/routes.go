package httpapi

// access says who may call a route.
type access uint8

const (
	open  access = iota // everyone: probes
	read                // every key
	write               // keys with full access
)

// route is one line of the table. handle returns the result for the envelope or an error; a
// function that writes by itself sets request.written.
type route struct {
	pattern string
	access  access
	handle  func(*Handler, *request) (any, error)
}

const (
	coll   = "/collections/{collection_name}"
	shards = coll + "/shards"
)

var routes = []route{
	{"GET /{$}", open, (*Handler).root},
	{"GET /healthz", open, (*Handler).alive},
	{"GET /livez", open, (*Handler).alive},
	{"GET /readyz", open, (*Handler).ready},
	{"GET /metrics", read, (*Handler).serveMetrics},
	{"GET /telemetry", read, (*Handler).telemetry},
	{"GET /issues", read, (*Handler).issues},
	{"DELETE /issues", write, (*Handler).clearIssues},
	{"GET /quotas", read, notYet("quotas are")},
	{"PUT /quotas", write, notYet("quotas are")},

	{"GET /cluster", read, (*Handler).clusterStatus},
	{"GET /cluster/telemetry", read, notYet("cluster telemetry is")},
	{"POST /cluster/recover", write, standalone},
	{"DELETE /cluster/peer/{peer_id}", write, standalone},
	{"GET " + coll + "/cluster", read, (*Handler).collectionCluster},
	{"POST " + coll + "/cluster", write, standalone},
	{"GET " + shards, read, (*Handler).shardKeys},
	{"PUT " + shards, write, standalone},
	{"POST " + shards + "/delete", write, standalone},

	{"GET /collections", read, (*Handler).listCollections},
	{"GET " + coll, read, (*Handler).getCollection},
	{"PUT " + coll, write, (*Handler).createCollection},
	{"PATCH " + coll, write, (*Handler).updateCollection},
	{"DELETE " + coll, write, (*Handler).deleteCollection},
	{"GET " + coll + "/exists", read, (*Handler).collectionExists},
	{"GET " + coll + "/optimizations", read, notYet("optimizations are")},
	{"PUT " + coll + "/vectors/{vector_name}", write, notYet("adding a vector to a collection is")},
	{"DELETE " + coll + "/vectors/{vector_name}", write, notYet("removing a vector from a collection is")},
	{"PUT " + coll + "/index", write, (*Handler).createIndex},
	{"DELETE " + coll + "/index/{field_name}", write, (*Handler).deleteIndex},

	{"POST /collections/aliases", write, (*Handler).updateAliases},
	{"GET /aliases", read, (*Handler).listAliases},
	{"GET " + coll + "/aliases", read, (*Handler).collectionAliases},

	{"GET " + coll + "/points/{id}", read, (*Handler).getPoint},
	{"POST " + coll + "/points", read, (*Handler).getPoints},
	{"PUT " + coll + "/points", write, writes(func() writeBody { return &upsertBody{} })},
	{"POST " + coll + "/points/delete", write, writes(func() writeBody { return &deleteBody{} })},
	{"PUT " + coll + "/points/vectors", write, writes(func() writeBody { return &vectorsUpdateBody{} })},
	{"POST " + coll + "/points/vectors/delete", write, writes(func() writeBody { return &vectorsDeleteBody{} })},
	{"POST " + coll + "/points/payload", write, writes(func() writeBody { return &payloadSetBody{} })},
	{"PUT " + coll + "/points/payload", write, writes(func() writeBody { return &payloadSetBody{overwrite: true} })},
	{"POST " + coll + "/points/payload/delete", write, writes(func() writeBody { return &payloadDeleteBody{} })},
	{"POST " + coll + "/points/payload/clear", write, writes(func() writeBody { return &payloadClearBody{} })},
	{"POST " + coll + "/points/batch", write, (*Handler).batchUpdate},
	{"POST " + coll + "/points/scroll", read, (*Handler).scroll},
	{"POST " + coll + "/points/count", read, (*Handler).count},
	{"POST " + coll + "/facet", read, notYet("facet is")},

	{"POST " + coll + "/points/query", read, (*Handler).query},
	{"POST " + coll + "/points/query/batch", read, (*Handler).queryBatch},
	{"POST " + coll + "/points/query/groups", read, notYet("grouping is")},
	{"POST " + coll + "/points/search", read, (*Handler).search},
	{"POST " + coll + "/points/search/batch", read, (*Handler).searchBatch},
	{"POST " + coll + "/points/search/groups", read, notYet("grouping is")},
	{"POST " + coll + "/points/search/matrix/pairs", read, notYet("the distance matrix is")},
	{"POST " + coll + "/points/search/matrix/offsets", read, notYet("the distance matrix is")},
	{"POST " + coll + "/points/recommend", read, notYet("recommend is")},
	{"POST " + coll + "/points/recommend/batch", read, notYet("recommend is")},
	{"POST " + coll + "/points/recommend/groups", read, notYet("recommend is")},
	{"POST " + coll + "/points/discover", read, notYet("discover is")},
	{"POST " + coll + "/points/discover/batch", read, notYet("discover is")},

	{"GET /snapshots", read, notYet("snapshots are")},
	{"POST /snapshots", write, notYet("snapshots are")},
	{"GET /snapshots/{snapshot_name}", read, notYet("snapshots are")},
	{"DELETE /snapshots/{snapshot_name}", write, notYet("snapshots are")},
	{"GET " + coll + "/snapshots", read, notYet("snapshots are")},
	{"POST " + coll + "/snapshots", write, notYet("snapshots are")},
	{"GET " + coll + "/snapshots/{snapshot_name}", read, notYet("snapshots are")},
	{"DELETE " + coll + "/snapshots/{snapshot_name}", write, notYet("snapshots are")},
	{"PUT " + coll + "/snapshots/recover", write, notYet("snapshots are")},
	{"POST " + coll + "/snapshots/upload", write, notYet("snapshots are")},
	{"GET " + shards + "/{shard_id}/snapshot", read, notYet("snapshots are")},
	{"GET " + shards + "/{shard_id}/snapshots", read, notYet("snapshots are")},
	{"POST " + shards + "/{shard_id}/snapshots", write, notYet("snapshots are")},
	{"GET " + shards + "/{shard_id}/snapshots/{snapshot_name}", read, notYet("snapshots are")},
	{"DELETE " + shards + "/{shard_id}/snapshots/{snapshot_name}", write, notYet("snapshots are")},
	{"PUT " + shards + "/{shard_id}/snapshots/recover", write, notYet("snapshots are")},
	{"POST " + shards + "/{shard_id}/snapshots/upload", write, notYet("snapshots are")},
}

// notYet refuses a call that Isobath does not serve yet.
func notYet(what string) func(*Handler, *request) (any, error) {
	return func(*Handler, *request) (any, error) { return nil, unsupported(what) }
}

// standalone refuses what only a cluster can do.
func standalone(*Handler, *request) (any, error) { return nil, errStandalone }
