// node-redis against a started server: node_redis.mjs PORT [HOST]. Every check runs with the
// library's default options (HELLO 3) and once more with RESP2. All keys and indexes carry a
// name of their own and are removed at the end.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { RESP_TYPES, SCHEMA_FIELD_TYPE, SCHEMA_VECTOR_FIELD_ALGORITHM, WatchError, createClient, createCluster } from 'redis';

const { version } = createRequire(import.meta.url)('redis/package.json');
const port = Number(process.argv[2]);
const host = process.argv[3] ?? '127.0.0.1';
const run = `clients-node-${randomUUID().slice(0, 8)}`;

const blob = (...values) => Buffer.from(new Float32Array(values).buffer);
const same = (got, want, about) => assert.deepEqual(got, want, about);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const plain = (value) => JSON.parse(JSON.stringify(value));

async function commands(r, p) {
  same(await r.ping(), 'PONG');
  same(await r.set(p + 's', 'v', { expiration: { type: 'EX', value: 100 } }), 'OK');
  same(await r.get(p + 's'), 'v');
  assert.ok((await r.ttl(p + 's')) >= 98);
  same(await r.set(p + 's', 'w', { condition: 'NX' }), null);
  await r.mSet({ [p + 'a']: '1', [p + 'b']: '2' });
  same(await r.mGet([p + 'a', p + 'b', p + 'none']), ['1', '2', null]);
  same(await r.incrBy(p + 'a', 41), 42);
  same(await r.incrByFloat(p + 'a', 0.5), '42.5');
  same(await r.del([p + 'b', p + 'none']), 1);

  const raw = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  same(await r.hSet(p + 'h', { title: 'deep', raw, n: 1 }), 3);
  const binary = r.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  same(await binary.hGet(p + 'h', 'raw'), raw);
  same(await r.hGet(p + 'h', 'title'), 'deep');
  same(await r.hIncrBy(p + 'h', 'n', 4), 5);
  same(await r.hmGet(p + 'h', ['title', 'none']), ['deep', null]);
  same(await r.hDel(p + 'h', ['raw', 'none']), 1);
  same(plain(await r.hGetAll(p + 'h')), { title: 'deep', n: '5' });
  same(await r.hLen(p + 'h'), 2);
  await assert.rejects(r.incr(p + 'h'), /WRONGTYPE/);

  await r.set(p + 'e', 'v');
  same(await r.ttl(p + 'e'), -1);
  same(await r.pExpire(p + 'e', 100000), 1);
  same(await r.expire(p + 'e', 50, 'GT'), 0);
  same(await r.persist(p + 'e'), 1);
  await r.set(p + 'e', 'v', { expiration: { type: 'PX', value: 20 } });
  await pause(40);
  same(await r.get(p + 'e'), null);

  await Promise.all(Array.from({ length: 300 }, (_, i) => r.hSet(`${p}scan:${i}`, 'f', i))); // pipelined by itself
  const seen = new Set();
  for await (const keys of r.scanIterator({ MATCH: p + 'scan:*', COUNT: 7 })) keys.forEach((k) => seen.add(k));
  same(seen.size, 300);
  let fields = 0;
  for await (const entries of r.hScanIterator(p + 'h')) fields += entries.length;
  same(fields, 2);
}

async function transactions(r, connect, p) {
  same(await r.multi().set(p + 't', '1').incr(p + 't').hSet(p + 'th', 'f', 'v').get(p + 't').exec(), ['OK', 2, 1, '2']);
  await assert.rejects(r.multi().set(p + 't', '1').hGet(p + 't', 'f').exec());
  same(await r.get(p + 't'), '1');
  same(await r.multi().get(p + 't').exists(p + 'none').execAsPipeline(), ['1', 0]);
  const other = await connect();
  await other.watch(p + 't');
  await r.set(p + 't', '5');
  await assert.rejects(other.multi().set(p + 't', '9').exec(), WatchError);
  same(await r.get(p + 't'), '5');
  await other.watch(p + 't');
  same(await other.multi().incr(p + 't').exec(), [6]);
  other.destroy();
}

// Ten keys: v is (i, 0), genre turns, year-made counts from 2010; the last lacks genre.
async function load(r, p) {
  await Promise.all(Array.from({ length: 10 }, (_, i) => {
    const doc = { vec: blob(i, 0), 'year-made': String(2010 + i), title: 'some words' };
    if (i < 9) doc.genre = ['horror', 'Comedy;Drama', 'drama'][i % 3];
    return r.hSet(`${p}doc:${i}`, doc);
  }));
}

function schema(algorithm) {
  const vector = { type: SCHEMA_FIELD_TYPE.VECTOR, TYPE: 'FLOAT32', DIM: 2, DISTANCE_METRIC: 'L2', AS: 'v',
    ALGORITHM: SCHEMA_VECTOR_FIELD_ALGORITHM[algorithm] };
  if (algorithm === 'HNSW') Object.assign(vector, { M: 16, EF_CONSTRUCTION: 100, EF_RUNTIME: 20 });
  return {
    genre: { type: SCHEMA_FIELD_TYPE.TAG, SEPARATOR: ';' },
    'year-made': { type: SCHEMA_FIELD_TYPE.NUMERIC, SORTABLE: true },
    title: SCHEMA_FIELD_TYPE.TEXT,
    vec: vector,
  };
}

async function search(r, p, algorithm) {
  const idx = p + 'idx';
  const options = { ON: 'HASH', PREFIX: p + 'doc:' };
  const ids = (reply) => reply.documents.map((d) => Number((d.id ?? d).slice((p + 'doc:').length)));
  await load(r, p); // some keys exist before the index: backfill
  same(await r.ft.create(idx, schema(algorithm), options), 'OK');
  for (const deadline = Date.now() + 10000; Number((await r.ft.info(idx)).percent_indexed) < 1;) {
    assert.ok(Date.now() < deadline);
    await pause(10);
  }
  await assert.rejects(r.ft.create(idx, schema(algorithm), options), /Index already exists/);
  assert.ok([...(await r.ft._list())].includes(idx));
  const info = plain(await r.ft.info(idx));
  same([info.index_name, Number(info.num_docs), Number(info.hash_indexing_failures)], [idx, 10, 0]);
  same([info.index_definition.key_type, info.index_definition.prefixes], ['HASH', [p + 'doc:']]);
  same(info.attributes.map((a) => a.attribute), ['genre', 'year-made', 'title', 'v']);
  const vector = info.attributes[3];
  same([vector.identifier, vector.type, vector.algorithm, Number(vector.dim)], ['vec', 'VECTOR', algorithm, 2]);
  await filters(r, idx, ids);
  await nearest(r, idx, ids);
  await changes(r, idx, ids, p);
  same(await r.ft.dropIndex(idx), 'OK');
  same(await r.exists(p + 'doc:0'), 1);
  await assert.rejects(r.ft.search(idx, '*'), /no such index/);
  await assert.rejects(r.ft.info(idx), /Unknown index name/);
  await r.ft.create(idx, schema(algorithm), options);
  same(await r.ft.dropIndex(idx, { DD: true }), 'OK');
  same(await r.exists(p + 'doc:0'), 0);
}

async function filters(r, idx, ids) {
  for (const [query, want] of [
    ['*', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ['@genre:{horror}', [0, 3, 6]],
    ['@genre:{hor*}', [0, 3, 6]],
    ['-@genre:{horror}', [1, 2, 4, 5, 7, 8, 9]],
    ['@year-made:[2012 (2014]', [2, 3]],
    ['@year-made:[2018 +inf]', [8, 9]],
    ['@genre:{drama} @year-made:[-inf 2012]', [1, 2]],
    ['@genre:{horror} | @year-made:[2019 2019]', [0, 3, 6, 9]],
  ]) {
    const got = await r.ft.searchNoContent(idx, query, { LIMIT: { from: 0, size: 20 } });
    same([query, ids(got).sort(), got.total], [query, want, want.length]);
  }
  let got = await r.ft.search(idx, '*', { SORTBY: { BY: 'year-made', DIRECTION: 'DESC' }, LIMIT: { from: 1, size: 3 }, RETURN: ['year-made', 'genre'] });
  same(got.documents.map((d) => d.value['year-made']), ['2018', '2017', '2016']);
  same(got.total, 10);
  got = await r.ft.search(idx, '@genre:{$g}', { PARAMS: { g: 'horror' }, WITHSCORES: true, SORTBY: 'year-made' });
  same([ids(got), got.documents[0].value.title, typeof got.documents[0].score], [[0, 3, 6], 'some words', 'number']);
  await assert.rejects(r.ft.search(idx, '@nosuch:{a}'), /Unknown field/);
}

async function nearest(r, idx, ids) {
  const PARAMS = { q: blob(3.2, 0), k: 3 };
  let got = await r.ft.search(idx, '*=>[KNN 3 @v $q]', { PARAMS, RETURN: ['__v_score', 'genre'] });
  same([ids(got), got.total, got.documents[0].value.genre], [[3, 4, 2], 3, 'horror']);
  assert.ok(Math.abs(got.documents[0].value.__v_score - 0.04) < 1e-5);
  got = await r.ft.search(idx, '*=>[KNN $k @v $q EF_RUNTIME 50 AS d]', { PARAMS });
  same(ids(got), [3, 4, 2]);
  same(Object.keys(got.documents[0].value)[0], 'd');
  same(got.documents[0].value['year-made'], '2013');
  got = await r.ft.search(idx, '*=>[KNN 5 @v $q AS d]', { PARAMS, SORTBY: 'd', RETURN: ['d'], LIMIT: { from: 1, size: 2 } });
  same([ids(got), got.total], [[4, 2], 5]);
  got = await r.ft.searchNoContent(idx, '(@genre:{horror} @year-made:[2011 2030])=>[KNN 2 @v $q]=>{$yield_distance_as: far}', { PARAMS });
  same(ids(got), [3, 6]);
  await assert.rejects(r.ft.search(idx, '*=>[KNN 3 @v $q]', { PARAMS: { q: Buffer.from('abc') } }), /blob size \(3\)/);
}

async function changes(r, idx, ids, p) {
  const found = async (query, PARAMS) => ids(await r.ft.searchNoContent(idx, query, { PARAMS, LIMIT: { from: 0, size: 20 } })).sort();
  await r.hDel(p + 'doc:0', 'genre');
  same(await found('-@genre:{horror|comedy|drama}'), [0, 9]);
  await r.del(p + 'doc:3');
  same(await found('*=>[KNN 2 @v $q]', { q: blob(3, 0) }), [2, 4]);
  await r.hSet(p + 'doc:6', 'vec', Buffer.from('wrong'));
  same(await r.hGet(p + 'doc:6', 'vec'), 'wrong');
  same(await found('@year-made:[2016 2016]'), [6]);
  same(await found('*=>[KNN 1 @v $q]', { q: blob(6.1, 0) }), [7]);
  const info = plain(await r.ft.info(idx));
  same([Number(info.hash_indexing_failures), info['Index Errors']['last indexing error key']], [1, p + 'doc:6']);
}

async function steps(options, p) {
  const connect = () => createClient({ socket: { host, port }, ...options }).connect();
  const r = await connect();
  try {
    await commands(r, p);
    await transactions(r, connect, p);
    await search(r, p, 'FLAT');
    await search(r, p, 'HNSW');
    const c = createCluster({ rootNodes: [{ socket: { host, port } }], defaults: options });
    c.on('error', () => {});
    await c.connect();
    await Promise.all(Array.from({ length: 50 }, (_, i) => c.hSet(`${p}c:${i}`, 'f', i)));
    same(await c.hGet(p + 'c:7', 'f'), '7');
    same(await c.multi().set(p + '{t}a', '1').incr(p + '{t}a').exec(), ['OK', 2]);
    await search(c, p, 'HNSW');
    c.destroy();
  } finally {
    for await (const keys of r.scanIterator({ MATCH: p + '*', COUNT: 1000 })) if (keys.length) await r.unlink(keys);
    r.destroy();
  }
}

for (const [name, options] of [['default options', {}], ['RESP2', { RESP: 2 }]]) {
  await steps(options, `${run}:${name.slice(0, 5)}:`);
  console.log(`ok: node-redis ${version}, ${name}: commands, transactions, FT, cluster`);
}
