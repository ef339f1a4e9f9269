// @qdrant/js-client-rest against a started server: js_client_rest.mjs PORT [HOST].
// All collections carry a name of their own and are removed at the end.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { QdrantClient } from '@qdrant/js-client-rest';

const port = Number(process.argv[2]);
const host = process.argv[3] ?? '127.0.0.1';
const run = 'clients-js-' + randomUUID().slice(0, 8);
const client = new QdrantClient({ host, port });

console.warn = (...words) => assert.fail('the client warns: ' + words.join(' ')); // of a version that does not fit

async function refused(status, text, call) {
  await assert.rejects(call, (e) => {
    assert.equal(e.status ?? e.getActualType?.()?.status, status, String(e));
    assert.ok(JSON.stringify(e.data ?? e.message).includes(text), JSON.stringify(e.data ?? e.message));
    return true;
  });
}

const ids = (points) => points.map((p) => p.id);

async function collections() {
  const name = run + '-a';
  assert.equal((await client.collectionExists(name)).exists, false);
  assert.equal(
    await client.createCollection(name, {
      vectors: { size: 4, distance: 'Dot' },
      optimizers_config: { default_segment_number: 2 },
      replication_factor: 2,
    }),
    true,
  );
  const info = await client.getCollection(name);
  assert.equal(info.status, 'green');
  assert.equal(info.config.params.replication_factor, 2);
  assert.deepEqual(info.config.params.vectors, { size: 4, distance: 'Dot' });
  assert.equal(info.config.optimizer_config.default_segment_number, 2);
  await refused(409, 'already exists', () => client.createCollection(name, { vectors: { size: 4, distance: 'Dot' } }));
  await refused(404, "doesn't exist", () => client.getCollection(run + '-none'));
  await client.updateCollectionAliases({ actions: [{ create_alias: { collection_name: name, alias_name: run + '-alias' } }] });
  assert.deepEqual((await client.getCollectionAliases(name)).aliases, [{ alias_name: run + '-alias', collection_name: name }]);
  assert.ok((await client.getCollections()).collections.some((c) => c.name === name));
  assert.equal(await client.deleteCollection(name), true);
  assert.ok(!(await client.getAliases()).aliases.some((a) => a.alias_name === run + '-alias'));
}

async function points() {
  const name = run + '-p';
  const uuid = '550e8400-e29b-41d4-a716-446655440000';
  await client.createCollection(name, { vectors: { size: 2, distance: 'Euclid' } });
  const res = await client.upsert(name, {
    wait: true,
    points: [
      { id: 1, vector: [0, 0], payload: { city: 'Berlin', n: 1 } },
      { id: 2, vector: [3, 4], payload: { city: ['Berlin', 'Rome'], n: 2 } },
      { id: uuid, vector: [6, 8] },
    ],
  });
  assert.equal(res.status, 'completed');
  await client.upsert(name, { wait: true, batch: { ids: [10, 11], vectors: [[1, 1], [2, 2]], payloads: [{ n: 10 }, null] } });
  assert.deepEqual(await client.count(name), { count: 5 });
  const near = await client.query(name, { query: [0, 0], limit: 3, with_payload: true });
  assert.deepEqual(near.points.map((p) => [p.id, Math.round(p.score * 1e4) / 1e4]), [[1, 0], [10, 1.4142], [11, 2.8284]]);
  assert.deepEqual(near.points[0].payload, { city: 'Berlin', n: 1 });
  const filter = { must: [{ key: 'city', match: { value: 'Berlin' } }], must_not: [{ has_id: [1] }] };
  assert.deepEqual(ids((await client.query(name, { query: [0, 0], filter })).points), [2]);
  assert.deepEqual(ids((await client.query(name, { query: uuid, limit: 1 })).points), [2]);
  const batch = await client.queryBatch(name, { searches: [{ query: [6, 8], limit: 1 }, { limit: 2 }] });
  assert.deepEqual(batch.map((r) => ids(r.points)), [[uuid], [1, 2]]);
  // Absent in the newest client, yet still called by older ones.
  if (client.search) {
    assert.deepEqual(ids(await client.search(name, { vector: [6, 8], limit: 1 })), [uuid]);
  }
  const first = await client.scroll(name, { limit: 3 });
  assert.deepEqual([ids(first.points), first.next_page_offset], [[1, 2, 10], 11]);
  const second = await client.scroll(name, { limit: 3, offset: first.next_page_offset });
  assert.deepEqual([ids(second.points), second.next_page_offset], [[11, uuid], null]);
  assert.deepEqual((await client.retrieve(name, { ids: [2, 99], with_vector: true }))[0].vector, [3, 4]);
  await client.createPayloadIndex(name, { field_name: 'city', field_schema: 'keyword', wait: true });
  assert.equal((await client.getCollection(name)).payload_schema.city.data_type, 'keyword');
  await client.setPayload(name, { payload: { a: { b: 1 } }, points: [1], wait: true });
  await client.deletePayload(name, { keys: ['n'], points: [1], wait: true });
  assert.deepEqual((await client.retrieve(name, { ids: [1] }))[0].payload, { city: 'Berlin', a: { b: 1 } });
  await client.updateVectors(name, { points: [{ id: 1, vector: [9, 9] }], wait: true });
  assert.deepEqual((await client.retrieve(name, { ids: [1], with_vector: true }))[0].vector, [9, 9]);
  await client.delete(name, { points: [10, 11], wait: true });
  await client.delete(name, { filter: { must: [{ key: 'n', range: { gte: 2 } }] }, wait: true });
  assert.deepEqual(await client.count(name), { count: 2 });
  await refused(400, 'expected dim: 2, got 1', () => client.upsert(name, { points: [{ id: 1, vector: [1] }] }));
  await refused(400, 'facet is not supported yet', () => client.facet(name, { key: 'city' }));
  await client.deletePayloadIndex(name, 'city', { wait: true });
  await client.deleteCollection(name);
}

try {
  for (const check of [collections, points]) {
    await check();
  }
} finally {
  for (const { name } of (await client.getCollections()).collections) {
    if (name.startsWith(run)) {
      await client.deleteCollection(name);
    }
  }
}
