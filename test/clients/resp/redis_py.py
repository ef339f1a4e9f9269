"""redis-py against a started server: redis_py.py PORT [HOST].

Every check runs with the library's default options (HELLO 3) and once more with RESP2. All keys
and indexes carry a name of their own and are removed at the end.
"""

import sys
import time
import uuid

import numpy as np
import redis
import redis.cluster
from redis.commands.search.field import NumericField, TagField, TextField, VectorField
from redis.commands.search.index_definition import IndexDefinition, IndexType
from redis.commands.search.query import Query

PORT = int(sys.argv[1])
HOST = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
RUN = "clients-py-" + uuid.uuid4().hex[:8]


def blob(*values):
    return np.array(values, dtype=np.float32).tobytes()


def same(got, want):
    if got != want:
        raise AssertionError(f"got {got!r}, want {want!r}")


def refused(text, fn, *args, **kwargs):
    try:
        fn(*args, **kwargs)
    except redis.ResponseError as e:
        if text not in str(e):
            raise AssertionError(f"error {e!r}, want {text!r}") from e
        return
    raise AssertionError(f"no error, want {text!r}")


def handshake(r, p):
    same(r.ping(), True)
    r.client_setname("scripts")
    same(r.client_getname(), "scripts")
    info = r.client_info()
    same(info["lib-name"], "redis-py")
    same(info["lib-ver"], redis.__version__)
    assert r.info("server")["redis_version"]
    modules = {m["name"] if "name" in m else m[b"name"] for m in r.module_list()}
    assert {"search", "ReJSON"} <= {m.decode() if isinstance(m, bytes) else m for m in modules}, modules
    assert r.command_count() > 100
    same(r.config_get("maxclients")["maxclients"], "10000")


def strings(r, p):
    same(r.set(p + "s", "v", ex=100), True)
    same(r.get(p + "s"), b"v")
    assert 98 <= r.ttl(p + "s") <= 100
    same(r.set(p + "s", "w", nx=True), None)
    same(r.set(p + "s", "w", xx=True, get=True), b"v")
    same(r.mset({p + "a": 1, p + "b": 2}), True)
    same(r.mget(p + "a", p + "b", p + "none"), [b"1", b"2", None])
    same(r.incrby(p + "a", 41), 42)
    same(r.incrbyfloat(p + "a", 0.5), 42.5)
    same(r.append(p + "b", "x"), 2)
    same(r.getrange(p + "b", 0, -1), b"2x")
    same(r.getdel(p + "b"), b"2x")
    same(r.exists(p + "b"), 0)
    same(r.type(p + "a"), b"string")
    same(r.rename(p + "a", p + "c"), True)
    same(r.copy(p + "c", p + "d"), True)
    same(r.delete(p + "c", p + "d", p + "none"), 2)


def hashes(r, p):
    raw = bytes(range(256))
    same(r.hset(p + "h", mapping={"title": "deep", "raw": raw, "n": 1}), 3)
    same(r.hget(p + "h", "raw"), raw)
    same(r.hgetall(p + "h"), {b"title": b"deep", b"raw": raw, b"n": b"1"})
    same(r.hincrby(p + "h", "n", 4), 5)
    same(r.hincrbyfloat(p + "h", "n", 0.25), 5.25)
    same(r.hmget(p + "h", "title", "none"), [b"deep", None])
    same(r.hexists(p + "h", "title"), True)
    same(sorted(r.hkeys(p + "h")), [b"n", b"raw", b"title"])
    same(r.hdel(p + "h", "raw", "none"), 1)
    same(r.hlen(p + "h"), 2)
    same(r.hsetnx(p + "h", "title", "x"), 0)
    refused("WRONGTYPE", r.incr, p + "h")


def expiry(r, p):
    r.set(p + "e", "v")
    same(r.ttl(p + "e"), -1)
    same(r.pexpire(p + "e", 100000), True)
    same(r.expire(p + "e", 50, gt=True), False)
    assert r.pttl(p + "e") > 90000
    same(r.persist(p + "e"), True)
    same(r.ttl(p + "none"), -2)
    r.set(p + "e", "v", px=20)
    time.sleep(0.04)
    same(r.get(p + "e"), None)


def scans(r, p):
    keys = {f"{p}scan:{i}".encode() for i in range(300)}
    with r.pipeline(transaction=False) as pipe:
        for k in keys:
            pipe.hset(k, "f", 1)
        same(pipe.execute(), [1] * 300)
    same(set(r.scan_iter(match=p + "scan:*", count=7)), keys)
    same(set(r.scan_iter(match=p + "scan:*", _type="hash")), keys)
    same(list(r.scan_iter(match=p + "scan:*", _type="string")), [])
    r.hset(p + "big", mapping={f"f{i}": i for i in range(200)})
    same(len(dict(r.hscan_iter(p + "big", count=10))), 200)
    same(len(list(r.hscan_iter(p + "big", match="f1*", no_values=True))), 111)
    same(r.unlink(*keys), 300)


def transactions(r, p):
    with r.pipeline() as pipe:  # MULTI/EXEC by default
        pipe.set(p + "t", 1).incr(p + "t").hset(p + "th", "f", "v").get(p + "t")
        same(pipe.execute(), [True, 2, 1, b"2"])
    with r.pipeline() as pipe:
        pipe.set(p + "t", 1).hget(p + "t", "f")
        refused("WRONGTYPE", pipe.execute)
    same(r.get(p + "t"), b"1")
    with r.pipeline() as pipe:
        pipe.watch(p + "t")
        pipe.multi()
        pipe.set(p + "t", 9)
        r.set(p + "t", 5)
        try:
            pipe.execute()
            raise AssertionError("EXEC after a change of a watched key")
        except redis.WatchError:
            pass
    same(r.get(p + "t"), b"5")

    def increment(pipe):
        n = int(pipe.get(p + "t"))
        pipe.multi()
        pipe.set(p + "t", n + 1)

    same(r.transaction(increment, p + "t"), [True])
    same(r.get(p + "t"), b"6")


def load(r, p):
    """Ten keys: v is (i, 0), genre turns, year counts from 2010; the last lacks genre."""
    with r.pipeline(transaction=False) as pipe:
        for i in range(10):
            doc = {"vec": blob(i, 0), "year-made": 2010 + i, "title": "some words", "other": "x"}
            if i < 9:
                doc["genre"] = ["horror", "Comedy;Drama", "drama"][i % 3]
            pipe.hset(f"{p}doc:{i}", mapping=doc)
        pipe.execute()


def fields(algorithm):
    options = {"TYPE": "FLOAT32", "DIM": 2, "DISTANCE_METRIC": "L2"}
    if algorithm == "HNSW":
        options |= {"M": 16, "EF_CONSTRUCTION": 100, "EF_RUNTIME": 20}
    return [TagField("genre", separator=";"), NumericField("year-made", sortable=True), TextField("title", no_stem=True),
            VectorField("vec", algorithm, options, as_name="v")]


def definition(p):
    return IndexDefinition(prefix=[p + "doc:"], index_type=IndexType.HASH)


def ids(p, result):
    return [int(d.id.removeprefix(p + "doc:")) for d in result.docs]


def pairs(value):
    """A map, or the flat list that RESP2 has in its place; keys as text."""
    if isinstance(value, dict):
        return {text(k): v for k, v in value.items()}
    return {text(value[i]): value[i + 1] for i in range(0, len(value) - 1, 2)}


def text(v):
    return v.decode() if isinstance(v, bytes) else v


def search(r, p, algorithm):
    ft = r.ft(p + "idx")
    load(r, p)  # some keys exist before the index: backfill
    same(text(ft.create_index(fields(algorithm), definition=definition(p))), "OK")
    deadline = time.time() + 10
    while float(pairs(ft.info())["percent_indexed"]) < 1:
        assert time.time() < deadline
        time.sleep(0.01)
    refused("Index already exists", ft.create_index, fields(algorithm), definition=definition(p))
    target = {"target_nodes": r.get_default_node()} if hasattr(r, "get_default_node") else {}  # the library cannot route it
    assert (p + "idx") in [text(n) for n in r.execute_command("FT._LIST", **target)]
    information(ft, p, algorithm)
    filters(ft, p)
    nearest(ft, p)
    changes(r, ft, p)
    same(text(ft.dropindex()), "OK")
    same(r.exists(p + "doc:0"), 1)
    refused("no such index", ft.search, "*")
    refused("Unknown index name", ft.info)
    ft.create_index(fields(algorithm), definition=definition(p))
    same(text(ft.dropindex(delete_documents=True)), "OK")
    same(list(r.scan_iter(match=p + "doc:*")), [])


def information(ft, p, algorithm):
    info = pairs(ft.info())
    same(text(info["index_name"]), p + "idx")
    same(int(info["num_docs"]), 10)
    same(int(info["hash_indexing_failures"]), 0)
    d = pairs(info["index_definition"])
    same(text(d["key_type"]), "HASH")
    same([text(x) for x in d["prefixes"]], [p + "doc:"])
    attributes = {}
    for a in info["attributes"]:
        a = pairs(a)
        attributes[text(a["attribute"])] = a
    same(sorted(attributes), ["genre", "title", "v", "year-made"])
    v = attributes["v"]
    same((text(v["identifier"]), text(v["type"]), text(v["algorithm"]), int(v["dim"])), ("vec", "VECTOR", algorithm, 2))
    same(text(attributes["genre"]["SEPARATOR"]), ";")


def filters(ft, p):
    for query, want in [
        ("*", range(10)),
        ("@genre:{horror}", [0, 3, 6]),
        ("@genre:{COMEDY}", [1, 4, 7]),
        ("@genre:{hor*}", [0, 3, 6]),
        ("@genre:{horror|comedy}", [0, 1, 3, 4, 6, 7]),
        ("-@genre:{horror}", [1, 2, 4, 5, 7, 8, 9]),  # 9 has no genre
        ("-@genre:{drama} -@genre:{horror}", [9]),
        ("@year-made:[2012 2014]", [2, 3, 4]),
        ("@year-made:[(2012 (2014]", [3]),
        ("@year-made:[2018 +inf]", [8, 9]),
        ("@genre:{drama} @year-made:[-inf 2012]", [1, 2]),
        ("@genre:{horror} | @year-made:[2019 2019]", [0, 3, 6, 9]),
        ("(@genre:{horror} | @genre:{comedy}) -@year-made:[2010 2013]", [4, 6, 7]),
    ]:
        got = ft.search(Query(query).paging(0, 20).no_content().dialect(2))
        same((query, sorted(ids(p, got)), got.total), (query, list(want), len(want)))
    same(ft.search(Query("@genre:{$g}").no_content().dialect(2), query_params={"g": "horror"}).total, 3)
    same(ft.search(Query("*").paging(0, 0)).total, 10)
    got = ft.search(Query("*").sort_by("year-made", asc=False).paging(1, 3).return_fields("year-made", "genre"))
    same([(d.id, d["year-made"]) for d in got.docs], [(f"{p}doc:{i}", str(2010 + i)) for i in (8, 7, 6)])
    same(got.total, 10)
    got = ft.search(Query("@genre:{horror}").with_scores().sort_by("year-made"))
    same([d.id for d in got.docs], [f"{p}doc:{i}" for i in (0, 3, 6)])
    same(got.docs[0].title, "some words")
    refused("Unknown field", ft.search, Query("@nosuch:{a}").dialect(2))
    refused("Syntax error", ft.search, Query("@genre:{").dialect(2))


def nearest(ft, p):
    q = {"q": blob(3.2, 0), "k": 3}
    got = ft.search(Query("*=>[KNN 3 @v $q]").dialect(2).return_field("vec", decode_field=False).return_fields("__v_score"), query_params=q)
    same(ids(p, got), [3, 4, 2])
    same(got.total, 3)
    same(got.docs[0].vec, blob(3, 0))
    assert abs(float(got.docs[0]["__v_score"]) - 0.04) < 1e-5
    got = ft.search(Query("*=>[KNN $k @v $q EF_RUNTIME 50 AS d]").dialect(2).no_content(), query_params=q)
    same(ids(p, got), [3, 4, 2])
    got = ft.search(Query("*=>[KNN 5 @v $q AS d]").dialect(2).sort_by("d").return_fields("d", "genre").paging(1, 2), query_params=q)
    same((ids(p, got), got.total), ([4, 2], 5))
    assert not hasattr(got.docs[0], "title")
    got = ft.search(Query("*=>[KNN 3 @v $q AS d]").dialect(2).sort_by("year-made", asc=False).no_content(), query_params=q)
    same(ids(p, got), [4, 3, 2])
    got = ft.search(Query("(@genre:{horror} @year-made:[2011 2030])=>[KNN 2 @v $q]=>{$yield_distance_as: far; $ef_runtime: 30}")
                    .dialect(2).return_fields("far"), query_params=q)
    same(ids(p, got), [3, 6])
    got = ft.search(Query("-@genre:{drama}=>[KNN 10 @v $q]").dialect(2).no_content(), query_params=q)
    same(ids(p, got), [3, 6, 0, 9])
    refused("blob size (3) does not match", ft.search, Query("*=>[KNN 3 @v $q]").dialect(2), query_params={"q": b"abc"})
    refused("No such parameter", ft.search, Query("*=>[KNN 3 @v $q]").dialect(2))


def changes(r, ft, p):
    def found(query, params=None):
        return sorted(ids(p, ft.search(Query(query).no_content().paging(0, 20).dialect(2), query_params=params)))

    r.hset(p + "doc:0", "genre", "western")
    same(found("@genre:{western}"), [0])
    r.hdel(p + "doc:0", "genre")
    same(found("-@genre:{horror|comedy|drama}"), [0, 9])
    r.delete(p + "doc:3")
    same(found("*=>[KNN 2 @v $q]", {"q": blob(3, 0)}), [2, 4])
    if not isinstance(r, redis.cluster.RedisCluster):  # which refuses two keys of different slots by itself
        r.rename(p + "doc:4", p + "gone")
        same(found("*"), [0, 1, 2, 5, 6, 7, 8, 9])
        r.rename(p + "gone", p + "doc:4")
    r.pexpire(p + "doc:5", 1)
    time.sleep(0.02)
    same(found("@year-made:[2014 2016]"), [4, 6])
    r.hset(p + "doc:6", "vec", b"wrong")
    same(r.hget(p + "doc:6", "vec"), b"wrong")
    same(found("@year-made:[2016 2016]"), [6])
    same(found("*=>[KNN 1 @v $q]", {"q": blob(6, 0)}), [7])
    info = pairs(ft.info())
    same(int(info["hash_indexing_failures"]), 1)
    errors = pairs(info["Index Errors"])
    same(int(errors["indexing failures"]), 1)
    same(text(errors["last indexing error key"]), p + "doc:6")
    with r.pipeline() as pipe:
        pipe.hset(p + "doc:3", mapping={"vec": blob(3, 0), "year-made": 2013}).hset(p + "doc:6", "vec", blob(6, 0))
        pipe.execute()
    same(found("*=>[KNN 2 @v $q]", {"q": blob(3, 0)}), [2, 3])
    if isinstance(r, redis.cluster.RedisCluster):
        return  # no pipelines of search commands there
    with ft.pipeline(transaction=False) as pipe:
        pipe.search(Query("@year-made:[2013 2013]").no_content().dialect(2))
        pipe.search(Query("@year-made:[2016 2016]=>[KNN 1 @v $q]").no_content().dialect(2), query_params={"q": blob(0, 0)})
        same([total(x) for x in pipe.execute()], [1, 1])


def total(reply):
    """Total of a search in a pipeline: the library leaves it as it came unless it is told otherwise."""
    return reply.total if hasattr(reply, "total") else reply[0]


def cluster(c, p):
    # The documented snippet, as it is.
    redis_client = c
    redis_client.hset('vector_storage', 'vector_key', np.array([1.2, 3.5, -0.8], dtype=np.float32).tobytes())
    same(c.hget('vector_storage', 'vector_key'), blob(1.2, 3.5, -0.8))
    c.delete('vector_storage')
    with c.pipeline() as pipe:
        for i in range(50):
            pipe.hset(f"{p}c:{i}", "f", i)
        same(pipe.execute(), [1] * 50)
    with c.pipeline() as pipe:
        for i in range(50):
            pipe.hget(f"{p}c:{i}", "f")
        same(pipe.execute(), [str(i).encode() for i in range(50)])
    with c.pipeline(transaction=True) as pipe:
        pipe.set(p + "{t}a", 1)
        pipe.incr(p + "{t}a")
        same(pipe.execute()[1], 2)  # the library leaves the reply of SET as it came here
    same(c.mget_nonatomic(p + "{t}a", p + "none"), [b"2", None])
    same(len(set(c.scan_iter(match=p + "c:*"))), 50)
    same(c.cluster_keyslot("foo{hash_tag}"), 2515)
    assert c.cluster_info()["cluster_state"] == "ok"
    same(len(c.get_primaries()), 1)


def clean(r, p):
    keys = list(r.scan_iter(match=p + "*"))
    for k in keys:
        r.delete(k)


def steps(connect, connect_cluster, p):
    r = connect()
    try:
        for step in (handshake, strings, hashes, expiry, scans, transactions):
            step(r, p)
        for algorithm in ("FLAT", "HNSW"):
            search(r, p, algorithm)
        c = connect_cluster()
        cluster(c, p)
        search(c, p, "HNSW")
        c.close()
    finally:
        clean(r, p)
        r.close()


def main():
    for name, options in (("default options", {}), ("RESP2", {"protocol": 2}),
                          ("RESP3 with unified replies", {"protocol": 3, "legacy_responses": False})):
        p = f"{RUN}:{name[:5]}:"
        steps(lambda: redis.Redis(host=HOST, port=PORT, **options),
              lambda: redis.cluster.RedisCluster(host=HOST, port=PORT, **options), p)
        print(f"ok: redis-py {redis.__version__}, {name}: commands, transactions, FT, RedisCluster", flush=True)


main()
