import assert from 'node:assert/strict';
import test from 'node:test';
import {EmbeddedSource} from '../embedded.js';
import {boxOf, pointInRing} from '../geometry.js';

const square = (x, y, size = 1) => [[x, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]];

/** Six chips in a row, a degree apart; dates a month apart, but for the last, which has none. */
function source() {
  const chips = [0, 0.04, 0.5, 0.96, 1, null].map((cloud, i) => ({
    id: i + 1, item: `item ${i}`, platform: i < 4 ? 'a' : 'b', date: i < 5 ? `2024-0${i + 1}-15` : null, cloud, nodata: 0, chip_index_x: i % 2, chip_index_y: 0,
    grid: 'g', split: i % 2 ? 'val' : 'train', handle: `["chips",${i}]`, thumb: `data:image/jpeg;base64,${i}`,
    geometry: {type: 'MultiPolygon', coordinates: [[square(i, 0)]]}, columns: {rowid: i + 1, chipid: `c${i}`, item: `item "${i}",\n`, cloud_cover_percentage: cloud},
  }));
  return new EmbeddedSource({version: '1', name: 'x.db', table: 'chips', kind: 'merge', chips}, null);
}

test('about tells the extent and the days of what is in the page', async () => {
  const [table] = (await source().about()).tables;
  assert.deepEqual([table.chips, table.extent, table.dates], [6, [0, 0, 6, 1], ['2024-01-15', '2024-05-15']]);
});

test('filters, each with both ends', async () => {
  const s = source();
  const ids = async (filter) => (await s.list(filter, {})).chips.map((c) => c.id);
  assert.deepEqual(await ids({}), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(await ids({cloud: [0, 0.04]}), [1, 2]);
  assert.deepEqual(await ids({cloud: [0, 1]}), [1, 2, 3, 4, 5]); // unknown is not clear
  assert.deepEqual(await ids({date: ['2024-02-15', '2024-03-15']}), [2, 3]);
  assert.deepEqual(await ids({platform: ['b']}), [5, 6]);
  assert.deepEqual(await ids({bbox: [1.2, 0.2, 1.8, 0.8]}), [2]);
  assert.deepEqual(await ids({where: "cloud_cover_percentage > 0.9 OR split = 'val'"}), [2, 4, 5, 6]);
});

test('a WHERE that cannot be read is refused as a server would', async () => {
  await assert.rejects(source().list({where: 'nothing = 1'}, {}), (e) => e.status === 400 && /no such column: nothing/.test(e.message));
});

test('each histogram counts under the other filters', async () => {
  const s = source();
  await s.about();
  const answer = await s.histograms({cloud: [0, 0.1], platform: ['a']});
  assert.deepEqual(answer.cloud.map((n, i) => [i, n]).filter(([, n]) => n), [[0, 2], [10, 1], [19, 1]]);
  assert.deepEqual(answer.platforms, {a: 2});
  assert.deepEqual([answer.total, answer.dates.first, answer.dates.counts.reduce((a, b) => a + b)], [2, '2024-01-15', 2]);
});

test('pages, orders and samples', async () => {
  const s = source();
  const page = await s.list({}, {limit: 2, offset: 2, order: 'cloud desc'});
  assert.deepEqual(page.chips.map((c) => c.id), [3, 2]);
  const [a, b, other] = await Promise.all([7, 7, 8].map((seed) => s.list({}, {sample: 4, seed})));
  assert.deepEqual(a, b);
  assert.equal(new Set(a.chips.map((c) => c.id)).size, 4);
  assert.notDeepEqual(a.chips.map((c) => c.id), other.chips.map((c) => c.id));
});

test('one chip comes with the dates of its place', async () => {
  const chip = await source().chip('chips', 3);
  assert.deepEqual(chip.dates.map((d) => d.id), [1, 3, 5]);
  await assert.rejects(source().chip('chips', 99), /not in the page/);
});

test('a polygon selects the chips whose middle lies in it', async () => {
  const ring = [[0.6, 0.4], [2.6, 0.4], [2.6, 0.6], [0.6, 0.6], [0.6, 0.4]];
  assert.deepEqual(await source().select({}, ring), {ids: [2, 3], total: 2});
  assert.deepEqual(await source().select({cloud: [0, 0.1]}, ring), {ids: [2], total: 1});
});

test('files of a selection', async () => {
  const s = source();
  assert.equal(await (await s.file('chips', [2, 1], 'ids')).text(), '["chips",1]\n["chips",0]\n');
  assert.equal(await (await s.file('chips', [1], 'csv')).text(), 'rowid,chipid,item,cloud_cover_percentage\r\n1,c0,"item ""0"",\n",0\r\n');
  const geojson = JSON.parse(await (await s.file('chips', [3], 'geojson')).text());
  assert.deepEqual(geojson.features[0].geometry.coordinates[0][0][2], [3, 1]);
});

test('points and rings', () => {
  assert.equal(pointInRing([0.5, 0.5], square(0, 0)), true);
  assert.equal(pointInRing([1.5, 0.5], square(0, 0)), false);
  assert.deepEqual(boxOf([square(0, 0), square(-3, 5, 2)]), [-3, 0, 1, 7]);
});
