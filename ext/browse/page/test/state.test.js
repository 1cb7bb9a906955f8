import assert from 'node:assert/strict';
import test from 'node:test';
import {DEFAULTS, createStore, filterOf, formatHash, isFiltered, parseHash} from '../state.js';

test('an empty hash is the default view', () => {
  assert.deepEqual(parseHash(''), {...DEFAULTS});
  assert.equal(formatHash(DEFAULTS), '#');
});

test('a state survives its hash', () => {
  const state = {
    table: 'chips of "mine" & yours', where: "cloud_cover_percentage < 0.1 AND item LIKE '%#&=+%'", cloud: [0, 0.05], nodata: [0.5, 1], date: ['2024-01-01', '2024-12-31'],
    platform: ['naip', 'sentinel-2, l2a', ''], view: [11.5, -32.61234, -62.9], color: 'sql:nodata_percentage + 1', grid: 'sample', seed: 17,
    order: 'date DESC', imagery: true, chip: 4503599627370495 % 1e15, assets: 'nir,red,green', stretch: '=0,3000', overlay: true,
  };
  assert.deepEqual(parseHash(formatHash(state)), state);
});

test('what a hash says wrongly is left out', () => {
  const wrong = '#c=1,0&n=x&d=2024-1-1,2024-02-01&m=99,0,0&s=-1&id=1e9&g=all&i=yes&v=2&unknown=1';
  assert.deepEqual(parseHash(wrong), {...DEFAULTS});
  assert.deepEqual(parseHash('#c=0,1,2').cloud, null);
  assert.equal(parseHash('#id=<script>').chip, null);
});

test('a filter carries what leaves chips out and no more', () => {
  assert.deepEqual(filterOf({...DEFAULTS, table: 'chips', where: '  '}), {table: 'chips'});
  assert.equal(isFiltered({...DEFAULTS, table: 'chips'}), false);
  const state = {...DEFAULTS, table: 'chips', cloud: [0, 0.1], platform: ['naip']};
  assert.deepEqual(filterOf(state), {table: 'chips', cloud: [0, 0.1], platform: ['naip']});
  assert.equal(isFiltered(state), true);
});

test('a store tells what changed, and nothing where nothing did', () => {
  const store = createStore({...DEFAULTS});
  const seen = [];
  store.subscribe((state, changed) => seen.push([state.where, [...changed]]));
  store.set({where: '', cloud: null});
  store.set({where: 'a', platform: []});
  assert.deepEqual(seen, [['a', ['where']]]);
});
