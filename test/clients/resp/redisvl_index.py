"""redisvl on an index that another client made, and on one of its own: redisvl_index.py PORT [HOST]."""

import sys
import uuid

import numpy as np
import redis
import redisvl
from redisvl.index import SearchIndex
from redisvl.query import CountQuery, FilterQuery, VectorQuery
from redisvl.query.filter import Num, Tag
from redisvl.schema import IndexSchema

PORT = int(sys.argv[1])
HOST = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
RUN = "clients-vl-" + uuid.uuid4().hex[:8]


def vector(i):
    return np.array([i, 1, 0], dtype=np.float32)


def same(got, want):
    if got != want:
        raise AssertionError(f"got {got!r}, want {want!r}")


def queries(index, prefix):
    q = VectorQuery(vector=vector(3).tolist(), vector_field_name="emb", return_fields=["user", "age"], num_results=3)
    rows = index.query(q)
    same([r["id"] for r in rows], [f"{prefix}:{i}" for i in (3, 2, 4)])
    same((rows[0]["user"], rows[0]["age"]), ("u3", "23"))
    assert abs(float(rows[0]["vector_distance"])) < 1e-5
    q.set_filter((Tag("kind") == "even") & (Num("age") >= 24))
    same([r["id"] for r in index.query(q)], [f"{prefix}:{i}" for i in (4, 6, 8)])
    rows = index.query(FilterQuery(filter_expression=(Tag("kind") != "even") & (Num("age") < 24), return_fields=["age"]).sort_by("age"))
    same([r["age"] for r in rows], ["21", "23"])
    same(index.query(CountQuery(filter_expression=Tag("kind") == ["even", "odd"])), 10)
    same(int(index.info()["num_docs"]), 10)
    pages = list(index.paginate(FilterQuery(filter_expression=Tag("kind") == "odd", return_fields=["age"]), page_size=2))
    same([len(p) for p in pages], [2, 2, 1])


def rows():
    return [{"id": str(i), "user": f"u{i}", "kind": ["even", "odd"][i % 2], "age": 20 + i, "emb": vector(i).tobytes()} for i in range(10)]


def schema(name, algorithm):
    return IndexSchema.from_dict({
        "index": {"name": name, "prefix": name, "storage_type": "hash"},
        "fields": [
            {"name": "user", "type": "tag"}, {"name": "kind", "type": "tag"}, {"name": "age", "type": "numeric", "attrs": {"sortable": True}},
            {"name": "emb", "type": "vector", "attrs": {"dims": 3, "distance_metric": "l2", "algorithm": algorithm, "datatype": "float32"}},
        ]})


def own_index(client, algorithm):
    name = f"{RUN}-{algorithm}"
    index = SearchIndex(schema(name, algorithm), redis_client=client)
    index.create(overwrite=True)
    assert index.exists()
    keys = index.load(rows(), id_field="id")
    same(len(keys), 10)
    queries(index, name)
    same(index.fetch("3")["user"], "u3")
    existing = SearchIndex.from_existing(name, redis_client=client)
    same(existing.schema.fields["emb"].attrs.algorithm.value.lower(), algorithm)
    same(existing.schema.fields["emb"].attrs.dims, 3)
    queries(existing, name)
    assert name in existing.listall()
    same(existing.clear(), 10)
    same(existing.query(CountQuery(filter_expression="*")), 0)
    existing.delete(drop=True)
    assert not index.exists()


def main():
    for name, options in (("default options", {}), ("RESP2", {"protocol": 2})):
        client = redis.Redis(host=HOST, port=PORT, **options)
        for algorithm in ("flat", "hnsw"):
            own_index(client, algorithm)
        client.close()
        print(f"ok: redisvl {redisvl.__version__}, {name}: create, load, query, from_existing, paginate, clear, delete", flush=True)


main()
