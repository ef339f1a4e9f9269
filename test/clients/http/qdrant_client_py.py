"""qdrant-client against a started server: qdrant_client_py.py PORT [HOST].

All collections and aliases carry a name of their own and are removed at the end.
"""

import random
import sys
import time
import uuid
import warnings

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

warnings.simplefilter("error")  # a version that does not fit is a warning of the client

PORT = int(sys.argv[1])
HOST = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
RUN = "clients-py-" + uuid.uuid4().hex[:8]
UUID = "550e8400-e29b-41d4-a716-446655440000"


def same(got, want):
    if got != want:
        raise AssertionError(f"got {got!r}, want {want!r}")


def refused(status, text, fn, *args, **kwargs):
    try:
        fn(*args, **kwargs)
    except UnexpectedResponse as e:
        if e.status_code != status or text not in e.content.decode():
            raise AssertionError(f"status {e.status_code}: {e.content!r}, want {status}: {text!r}") from e
        return
    raise AssertionError(f"no error, want {status}: {text!r}")


def ids(points):
    return [p.id for p in points]


def match(key, value):
    return models.Filter(must=[models.FieldCondition(key=key, match=models.MatchValue(value=value))])


def collections(c):
    name = RUN + "-a"
    same(c.collection_exists(name), False)
    c.create_collection(
        name,
        vectors_config=models.VectorParams(size=4, distance=models.Distance.DOT, on_disk=True),
        hnsw_config=models.HnswConfigDiff(m=8, ef_construct=64),
        optimizers_config=models.OptimizersConfigDiff(indexing_threshold=20000),
        metadata={"owner": "me"},
    )
    same(c.collection_exists(name), True)
    info = c.get_collection(name)
    same(info.status, models.CollectionStatus.GREEN)
    same(info.points_count, 0)
    same(info.config.params.vectors, models.VectorParams(size=4, distance=models.Distance.DOT, on_disk=True))
    same(info.config.hnsw_config.m, 8)
    same(info.config.hnsw_config.full_scan_threshold, 10000)
    same(info.config.optimizer_config.indexing_threshold, 20000)
    same(info.config.metadata, {"owner": "me"})
    refused(409, "already exists", c.create_collection, name, vectors_config=models.VectorParams(size=4, distance=models.Distance.DOT))
    refused(404, "doesn't exist", c.get_collection, RUN + "-none")
    if name not in [x.name for x in c.get_collections().collections]:
        raise AssertionError("the collection is not listed")
    same(c.update_collection(name, metadata={"more": [1, 2.5]}), True)
    same(c.get_collection(name).config.metadata, {"owner": "me", "more": [1, 2.5]})
    refused(400, "sparse vectors are not supported yet", c.create_collection, RUN + "-s", vectors_config={}, sparse_vectors_config={"s": models.SparseVectorParams()})

    alias = RUN + "-alias"
    c.update_collection_aliases([models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=name, alias_name=alias))])
    same(c.get_collection_aliases(name).aliases, [models.AliasDescription(alias_name=alias, collection_name=name)])
    same(c.count(alias).count, 0)
    c.update_collection_aliases([models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))])
    same(c.get_collection_aliases(name).aliases, [])
    same(c.delete_collection(name), True)
    same(c.delete_collection(name), False)


def points(c):
    name = RUN + "-p"
    c.create_collection(name, vectors_config=models.VectorParams(size=2, distance=models.Distance.COSINE))
    res = c.upsert(
        name,
        [
            models.PointStruct(id=1, vector=[1, 0], payload={"city": "Berlin", "n": 1, "at": "2024-01-01T00:00:00Z"}),
            models.PointStruct(id=2, vector=[0, 2], payload={"city": ["Rome", "Berlin"], "n": 2.5}),
            models.PointStruct(id=UUID, vector=[3, 4], payload={"nested": {"deep": [1, 2, 3]}}),
        ],
        wait=True,
    )
    same(res.status, models.UpdateStatus.COMPLETED)
    c.upsert(name, models.Batch(ids=[4, 5], vectors=[[-1, 0], [0, -1]], payloads=[{"n": 4}, {}]), wait=True)
    same(c.count(name).count, 5)
    got = c.retrieve(name, [UUID, 1, 99], with_vectors=True)
    same(ids(got), [UUID, 1])
    same([round(x, 6) for x in got[0].vector], [0.6, 0.8])
    same(got[0].payload, {"nested": {"deep": [1, 2, 3]}})

    got = c.query_points(name, query=[1, 0], limit=2, with_payload=["city"]).points
    same([(p.id, p.score, p.payload) for p in got][0], (1, 1.0, {"city": "Berlin"}))
    same(got[1].id, UUID)
    same(ids(c.query_points(name, query=[1, 0], query_filter=match("city", "Berlin")).points), [1, 2])
    same(ids(c.query_points(name, query=1, limit=1).points), [UUID])
    same(ids(c.query_points(name, query=[1, 0], score_threshold=0.5).points), [1, UUID])
    same(ids(c.query_points(name, query=[1, 0], search_params=models.SearchParams(exact=True, hnsw_ef=32)).points)[0], 1)
    same([ids(r.points) for r in c.query_batch_points(name, [models.QueryRequest(query=[0, 1], limit=1), models.QueryRequest(limit=2)])], [[2], [1, 2]])
    date = models.Filter(must=[models.FieldCondition(key="at", range=models.DatetimeRange(gte="2023-12-31T00:00:00Z"))])
    same(c.count(name, count_filter=date).count, 1)

    page, following = c.scroll(name, limit=3, with_payload=False)
    same((ids(page), following), ([1, 2, 4], 5))
    page, following = c.scroll(name, limit=3, offset=following)
    same((ids(page), following), ([5, UUID], None))

    c.set_payload(name, {"new": True}, points=[1], wait=True)
    c.overwrite_payload(name, {"only": 1}, points=[4], wait=True)
    c.delete_payload(name, ["city"], points=[1], wait=True)
    c.clear_payload(name, points_selector=[2], wait=True)
    same([p.payload for p in c.retrieve(name, [1, 2, 4])], [{"n": 1, "at": "2024-01-01T00:00:00Z", "new": True}, {}, {"only": 1}])
    c.update_vectors(name, [models.PointVectors(id=1, vector=[0, 1])], wait=True)
    same(c.retrieve(name, [1], with_vectors=True)[0].vector, [0, 1])
    c.delete(name, points_selector=[5], wait=True)
    c.delete(name, points_selector=models.FilterSelector(filter=match("only", 1)), wait=True)
    same(ids(c.scroll(name)[0]), [1, 2, UUID])
    c.batch_update_points(
        name,
        [
            models.UpsertOperation(upsert=models.PointsList(points=[models.PointStruct(id=7, vector=[1, 1])])),
            models.SetPayloadOperation(set_payload=models.SetPayload(payload={"x": 1}, points=[7])),
            models.DeleteOperation(delete=models.PointIdsList(points=[1])),
        ],
        wait=True,
    )
    same(ids(c.scroll(name)[0]), [2, 7, UUID])
    refused(400, "expected dim: 2, got 3", c.upsert, name, [models.PointStruct(id=9, vector=[1, 2, 3])])
    refused(400, "recommend` is not supported yet", c.query_points, name, query=models.RecommendQuery(recommend=models.RecommendInput(positive=[2])))
    c.delete_collection(name)


def named(c):
    name = RUN + "-n"
    c.create_collection(
        name,
        vectors_config={
            "a": models.VectorParams(size=2, distance=models.Distance.EUCLID),
            "b": models.VectorParams(size=3, distance=models.Distance.MANHATTAN),
        },
    )
    c.upsert(name, [models.PointStruct(id=1, vector={"a": [3, 4]}), models.PointStruct(id=2, vector={"a": [0, 0], "b": [1, 1, 1]})], wait=True)
    got = c.query_points(name, query=[0, 0], using="a").points
    same([(p.id, p.score) for p in got], [(2, 0.0), (1, 5.0)])
    got = c.query_points(name, query=[0, 0, 0], using="b", with_vectors=["b"]).points
    same([(p.id, p.score, p.vector) for p in got], [(2, 3.0, {"b": [1, 1, 1]})])
    c.delete_vectors(name, ["b"], points=[2], wait=True)
    same(c.query_points(name, query=[0, 0, 0], using="b").points, [])
    refused(400, "Not existing vector name error: x", c.query_points, name, query=[1], using="x")
    c.delete_collection(name)


def indexed(c):
    """A bulk upload with payload indexes; filtered answers equal a full scan's."""
    name = RUN + "-i"
    rng = random.Random(42)
    c.create_collection(name, vectors_config=models.VectorParams(size=16, distance=models.Distance.EUCLID))
    c.create_payload_index(name, "color", models.PayloadSchemaType.KEYWORD)
    c.create_payload_index(name, "n", models.IntegerIndexParams(type=models.IntegerIndexType.INTEGER, lookup=True, range=True))
    rows = [[rng.random() for _ in range(16)] for _ in range(2000)]
    payloads = [{"color": rng.choice(["red", "green", "blue"]), "n": i} for i in range(2000)]
    c.upload_collection(name, vectors=rows, payload=payloads, ids=range(2000), wait=True)
    deadline = time.time() + 60
    while c.get_collection(name).status != models.CollectionStatus.GREEN:
        if time.time() > deadline:
            raise AssertionError("not green")
        time.sleep(0.05)
    info = c.get_collection(name)
    same(info.points_count, 2000)
    same(info.payload_schema["color"].points, 2000)
    same(info.payload_schema["n"].params, models.IntegerIndexParams(type=models.IntegerIndexType.INTEGER, lookup=True, range=True))
    newest, _ = c.scroll(name, limit=3, order_by=models.OrderBy(key="n", direction=models.Direction.DESC, start_from=1500))
    same([(p.id, p.order_value) for p in newest], [(1500, 1500), (1499, 1499), (1498, 1498)])
    wanted = models.Filter(
        must=[models.FieldCondition(key="n", range=models.Range(lt=1000))],
        must_not=[models.FieldCondition(key="color", match=models.MatchAny(any=["red"]))],
    )
    for _ in range(20):
        q = [rng.random() for _ in range(16)]
        near = sorted((sum((x - y) ** 2 for x, y in zip(q, rows[i])), i) for i in range(1000) if payloads[i]["color"] != "red")
        same(ids(c.query_points(name, query=q, query_filter=wanted, limit=10).points), [i for _, i in near[:10]])
    c.delete_payload_index(name, "color")
    same(list(c.get_collection(name).payload_schema), ["n"])
    c.delete_collection(name)


def main():
    c = QdrantClient(host=HOST, port=PORT, timeout=60)
    try:
        for check in (collections, points, named, indexed):
            check(c)
    finally:
        for x in c.get_collections().collections:
            if x.name.startswith(RUN):
                c.delete_collection(x.name)


main()
