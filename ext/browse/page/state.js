// What the page shows, as one object, and the hash of the address that stands for it: whoever opens
// that address sees the same view.

export const DEFAULTS = Object.freeze({
  table: '', // '': the first one
  where: '',
  cloud: null, // [least, greatest] fraction, or null
  nodata: null,
  date: null, // [first, last] day, 'YYYY-MM-DD'
  platform: [], // names; none: all
  view: null, // [zoom, latitude, longitude]; null: the extent of the table
  color: 'cloud', // a key of colorKeys(), or 'sql:EXPRESSION'
  grid: 'view', // or 'sample'
  seed: 1,
  order: '', // SQL of ORDER BY
  imagery: false,
  chip: null, // the chip that is looked at: its id
  assets: '', // of the chip's picture: keys with commas between; '': red, green, blue
  stretch: '2,98',
  overlay: false,
});

const HASH_KEYS = {
  t: ['table', 'text'], q: ['where', 'text'], c: ['cloud', 'range'], n: ['nodata', 'range'], d: ['date', 'days'],
  p: ['platform', 'list'], m: ['view', 'view'], k: ['color', 'text'], g: ['grid', 'grid'], s: ['seed', 'count'],
  o: ['order', 'text'], i: ['imagery', 'flag'], id: ['chip', 'id'], r: ['assets', 'text'], x: ['stretch', 'text'],
  v: ['overlay', 'flag'],
};

function numbers(text, n) {
  const list = text.split(',').map(Number);
  return list.length === n && list.every(Number.isFinite) ? list : undefined;
}

const READERS = {
  text: (v) => v[0],
  flag: (v) => v[0] === '1',
  list: (v) => v,
  grid: (v) => (v[0] === 'sample' ? 'sample' : 'view'),
  count: (v) => (/^\d{1,9}$/.test(v[0]) ? Number(v[0]) : undefined),
  id: (v) => (/^\d{1,15}$/.test(v[0]) ? Number(v[0]) : undefined),
  range: (v) => {
    const r = numbers(v[0], 2);
    return r && r[0] <= r[1] ? r : undefined;
  },
  days: (v) => (/^(\d{4}-\d\d-\d\d),(\d{4}-\d\d-\d\d)$/.test(v[0]) ? v[0].split(',') : undefined),
  view: (v) => {
    const m = numbers(v[0], 3);
    return m && m[0] >= 0 && m[0] <= 22 && Math.abs(m[1]) <= 90 ? m : undefined;
  },
};

/** The state that a hash ('#t=chips&c=0,0.1') stands for; what it says wrongly is left out. */
export function parseHash(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ''));
  const state = {...DEFAULTS};
  for (const [key, [name, type]] of Object.entries(HASH_KEYS)) {
    if (!given.has(key)) continue;
    const value = READERS[type](given.getAll(key));
    if (value !== undefined) state[name] = value;
  }
  return state;
}

/** The hash of a state, without what is as by default. */
export function formatHash(state) {
  const out = new URLSearchParams();
  for (const [key, [name, type]] of Object.entries(HASH_KEYS)) {
    const value = state[name];
    if (JSON.stringify(value) === JSON.stringify(DEFAULTS[name])) continue;
    if (type === 'list') value.forEach((v) => out.append(key, v));
    else if (type === 'flag') out.set(key, value ? '1' : '0');
    else out.set(key, Array.isArray(value) ? value.join(',') : String(value));
  }
  return out.size ? '#' + out.toString().replace(/%2C/g, ',').replace(/%3A/g, ':') : '#';
}

/** The filter of a state, as requests carry it (without a box of the map). */
export function filterOf(state) {
  const filter = {table: state.table};
  if (state.where.trim()) filter.where = state.where;
  for (const name of ['cloud', 'nodata', 'date']) if (state[name]) filter[name] = state[name];
  if (state.platform.length) filter.platform = state.platform;
  return filter;
}

/** Does the state leave chips out? */
export function isFiltered(state) {
  return Object.keys(filterOf(state)).length > 1;
}

/** What holds a state and tells of its changes: subscribe(f) has f(state, names of what changed). */
export function createStore(initial) {
  let state = initial;
  const listeners = [];
  return {
    get: () => state,
    set(patch) {
      const changed = Object.keys(patch).filter((k) => JSON.stringify(patch[k]) !== JSON.stringify(state[k]));
      if (!changed.length) return;
      state = {...state, ...patch};
      listeners.forEach((f) => f(state, new Set(changed)));
    },
    subscribe: (f) => listeners.push(f),
  };
}
