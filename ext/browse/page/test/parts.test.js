import assert from 'node:assert/strict';
import test from 'node:test';
import {numbersOf} from '../chip.js';
import {colorKeys} from '../filters.js';
import {chipWords} from '../grid.js';
import {formatDegrees, graticuleStep, groupByPlace} from '../map.js';
import {sqlOfSelection} from '../selection.js';
import {compileWhere} from '../where.js';

test('lines of the map: about six in a view, numbered with the digits that they need', () => {
  assert.deepEqual([360, 40, 1, 0.2, 0.001].map(graticuleStep), [30, 10, 0.2, 0.05, 0.01]);
  assert.deepEqual([[-62.85, 0.05], [0, 10], [-30, 10]].map(([v, s]) => formatDegrees(v, s, ['E', 'W']).replace('\u202f', ' ')), ['62.85° W', '0°', '30° W']);
});

test('chips of one footprint are one place, large ones first', () => {
  const ring = (x, size) => [[[x, 0], [x + size, 0], [x + size, size], [x, 0]]];
  const places = groupByPlace({id: [1, 2, 3, 4], rings: [ring(0, 1), ring(0, 3), ring(0, 1), ring(5, 1)], value: [0.2, 0.5, 0.4, null], label: ['drop', null, 'drop', 'keep']});
  assert.deepEqual(places.map((p) => p.ids), [[2], [1, 3], [4]]);
  assert.ok(Math.abs(places[1].value - 0.3) < 1e-12);
  assert.deepEqual(places.map((p) => p.dropped), [false, true, false]);
  assert.equal(places[2].value, null);
});

test('of names, a place shows the most frequent', () => {
  const rings = Array(4).fill([[[0, 0], [1, 0], [1, 1], [0, 0]]]);
  assert.equal(groupByPlace({id: [1, 2, 3, 4], rings, value: ['b', 'a', 'a', null]})[0].value, 'a');
});

test('what there is to colour by', () => {
  const table = {columns: [{name: 'class'}, {name: 'row'}, {name: 'Score'}, {name: 'split'}]};
  assert.deepEqual(colorKeys(table, {expression: true}).map(([k]) => k), ['cloud', 'nodata', 'date', 'platform', 'split', 'label', 'sql:"class"', 'sql:"Score"', 'sql:']);
  assert.deepEqual(colorKeys(table, {expression: false}).map(([k]) => k), ['cloud', 'nodata', 'date', 'platform', 'split', 'label']);
});

test('numbers of a chip, without its large columns, long texts cut', () => {
  const rows = numbersOf({chipid: 'a', geometry: {}, item_json: '{}', row: '[]', note: 'x'.repeat(1e7), none: null, list: [1]});
  assert.deepEqual(rows.map(([name]) => name), ['chipid', 'note', 'none', 'list']);
  assert.deepEqual([rows[1][1].length, rows[2][1], rows[3][1]], [402, 'NULL', '[1]']);
});

test('words and SQL of chips', () => {
  assert.equal(chipWords({item: 'S2', date: null, cloud: null, label: 'keep'}), 'S2, no date, cloud unknown, labelled keep');
  assert.equal(sqlOfSelection({name: 'my "chips"', kind: 'merge'}, [1, 2], 'a'), 'CREATE TABLE "a" AS SELECT rowid AS id, chipid, row FROM "my ""chips""" WHERE rowid IN (1, 2);');
  assert.equal(sqlOfSelection({name: 'chips', kind: 'frozen'}, [3], 'a'), 'CREATE TABLE "a" AS SELECT position AS id, handle FROM "chips" WHERE position IN (3);');
});

test('what a WHERE of a page in one file cannot have is said', () => {
  for (const [sql, words] of [['a = ', /incomplete input/], ['a = 1 b', /near "b"/], ['a @ 1', /unrecognized token/], ['load_extension(1)', /no such function/], ['constructor = 1', /no such column/],
    ['a IN (SELECT 1)', /near|no such column/], ['toString(1)', /no such function/], ['a / 2 = 1', /near "\/"/]]) {
    assert.throws(() => compileWhere(sql, ['a']), words, sql);
  }
});
