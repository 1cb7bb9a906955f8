// The data of a page in one file (`stacchip preview`): chips, numbers and thumbnails lie in the page,
// and what a server would be asked is answered here. The methods are those of server.js.
import {dayOfDate, sqlName} from './text.js';
import {RequestError} from './server.js';
import {boxOf, pointInRing} from './geometry.js';
import {compileWhere} from './where.js';
import {meanOf} from './scale.js';

const N_BINS = 20;

function inRange(v, range) {
  return v != null && v >= range[0] && v <= range[1];
}

/** The outer rings of a GeoJSON polygon or multipolygon. */
function outerRings(geometry) {
  if (!geometry) return [];
  return geometry.type === 'MultiPolygon' ? geometry.coordinates.map((p) => p[0]) : [geometry.coordinates[0]];
}

function middleOf(box) {
  return [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
}

function meets(box, other) {
  return box[0] <= other[2] && box[2] >= other[0] && box[1] <= other[3] && box[3] >= other[1];
}

/** A pure number in [0, 1) of a seed and an id: the order of a sample. */
function shuffleKey(seed, id) {
  let h = (2166136261 ^ seed) >>> 0;
  for (const c of String(id)) h = Math.imul(h ^ c.charCodeAt(0), 16777619) >>> 0;
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d) >>> 0;
  return ((h ^ (h >>> 13)) >>> 0) / 4294967296;
}

const VALUES = {
  cloud: (c) => c.cloud, nodata: (c) => c.nodata, date: (c) => dayOfDate(c.date), platform: (c) => c.platform,
  split: (c) => c.split, label: (c) => c.label,
};

function kindOf(color) {
  return color === 'date' ? 'date' : ['platform', 'split', 'label'].includes(color) ? 'text' : 'number';
}

/** Chips of less than SMALL_PX pixels as cells of CELL_PX, as the server gives them. */
const SMALL_PX = 4;
const CELL_PX = 9;

function cellsOf(chips, [w, s, e, n], d, value) {
  const [nx, ny] = [Math.max(1, Math.ceil((e - w) / d)), Math.max(1, Math.ceil((n - s) / d))];
  const inside = Array.from({length: nx * ny}, () => []);
  for (const c of chips) {
    const [lon, lat] = middleOf(c.box);
    const [x, y] = [(lon - w) / d, (lat - s) / d].map(Math.floor);
    if (x >= 0 && x < nx && y >= 0 && y < ny) inside[y * nx + x].push(value(c));
  }
  const means = inside.map(meanOf);
  const names = [...new Set(means.filter((v) => typeof v === 'string'))];
  return {w, s, dx: d, dy: d, nx, ny, count: inside.map((v) => v.length), value: means.map((v) => (typeof v === 'string' ? names.indexOf(v) : v)), names: names.length ? names : undefined};
}

const ORDERS = {
  date: (a, b) => ((a.date || '') < (b.date || '') ? -1 : a.date === b.date ? 0 : 1),
  'date desc': (a, b) => ((a.date || '') > (b.date || '') ? -1 : a.date === b.date ? 0 : 1),
  cloud: (a, b) => (a.cloud ?? 2) - (b.cloud ?? 2),
  'cloud desc': (a, b) => (b.cloud ?? -1) - (a.cloud ?? -1),
  nodata: (a, b) => (a.nodata ?? 2) - (b.nodata ?? 2),
};

function csvCell(v) {
  const text = v == null ? '' : String(v);
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

export class EmbeddedSource {
  /** data: what `stacchip preview` wrote; world: the topology of the outline. */
  constructor(data, world) {
    this.data = data;
    this.topology = world;
    this.can = {where: true, bands: false, tiles: false, expression: false, order: false};
    this.chips = data.chips.map((c) => {
      const rings = outerRings(c.geometry);
      return {...c, rings, box: boxOf(rings), place: `${c.grid}/${c.chip_index_x}/${c.chip_index_y}`, values: {...c.columns, split: c.split, label: c.label ?? null}};
    });
    this.names = Object.keys(this.chips[0]?.values || {});
    this.byId = new Map(this.chips.map((c) => [c.id, c]));
  }

  async about() {
    const {version, name, table, kind} = this.data;
    const days = this.chips.map((c) => c.date).filter(Boolean).sort();
    this.dates = [days[0] ?? null, days.at(-1) ?? null];
    const all = this.chips.filter((c) => c.rings.length);
    const extent = all.length ? boxOf(all.flatMap((c) => c.rings)) : null;
    return {version, name, readWrite: false, tables: [{name: table, kind, chips: this.chips.length, extent, dates: this.dates, columns: []}]};
  }

  async world() {
    return this.topology;
  }

  /** The chips that pass a filter, but for the terms named in `without`. */
  pass(filter, without = '') {
    let matches = () => true;
    if (filter.where) {
      try {
        matches = compileWhere(filter.where, this.names);
      } catch (e) {
        throw new RequestError(e.message, 400);
      }
    }
    return this.chips.filter((c) => (without === 'cloud' || !filter.cloud || inRange(c.cloud, filter.cloud))
      && (without === 'nodata' || !filter.nodata || inRange(c.nodata, filter.nodata))
      && (without === 'date' || !filter.date || inRange(c.date, filter.date))
      && (without === 'platform' || !filter.platform || filter.platform.includes(c.platform))
      && (!filter.bbox || meets(c.box, filter.bbox)) && matches(c.values));
  }

  async map(filter, {bbox, width, color}) {
    const all = this.pass(filter);
    const seen = all.filter((c) => meets(c.box, bbox));
    const value = VALUES[color] || (() => null);
    const degrees = (bbox[2] - bbox[0]) / width; // of a pixel
    if (seen.length && seen.every((c) => c.box[2] - c.box[0] < SMALL_PX * degrees)) return {cells: cellsOf(seen, bbox, CELL_PX * degrees, value), kind: kindOf(color), total: all.length};
    return {
      chips: {id: seen.map((c) => c.id), rings: seen.map((c) => c.rings), value: seen.map(value), label: seen.map((c) => c.label ?? null)},
      kind: kindOf(color), total: all.length,
    };
  }

  async histograms(filter) {
    const bins = (name) => {
      const counts = Array(N_BINS).fill(0);
      for (const c of this.pass(filter, name)) if (c[name] != null) counts[Math.min(N_BINS - 1, Math.floor(c[name] * N_BINS))]++;
      return counts;
    };
    const [first, last] = this.dates.map(dayOfDate);
    const step = Math.max(1, Math.ceil((last - first + 1) / 120));
    const counts = first == null ? [] : Array(Math.floor((last - first) / step) + 1).fill(0);
    for (const c of this.pass(filter, 'date')) if (c.date) counts[Math.floor((dayOfDate(c.date) - first) / step)]++;
    const platforms = {};
    for (const c of this.pass(filter, 'platform')) platforms[c.platform ?? ''] = (platforms[c.platform ?? ''] || 0) + 1;
    return {cloud: bins('cloud'), nodata: bins('nodata'), dates: {first: this.dates[0], step_days: step, counts}, platforms, total: this.pass(filter).length};
  }

  async list(filter, {limit = 60, offset = 0, order, sample, seed}) {
    const found = this.pass(filter);
    if (sample) {
      const chips = found.map((c) => [shuffleKey(seed, c.id), c]).sort((a, b) => a[0] - b[0]).slice(0, sample).map(([, c]) => c);
      return {chips, total: found.length};
    }
    if (ORDERS[order]) found.sort(ORDERS[order]);
    return {chips: found.slice(offset, offset + limit), total: found.length};
  }

  /** Those whose middle lies in the polygon, as the server has it. */
  async select(filter, polygon) {
    const ids = this.pass(filter).filter((c) => pointInRing(middleOf(c.box), polygon)).map((c) => c.id);
    return {ids, total: ids.length};
  }

  async chip(table, id) {
    const c = this.byId.get(id);
    if (!c) throw new RequestError('This chip is not in the page', 404);
    const place = this.chips.filter((o) => o.place === c.place).sort(ORDERS.date);
    return {
      id, label: c.label, handle: c.handle, sql: this.data.kind === 'frozen' ? `SELECT stacchip_chip(handle) FROM ${sqlName(table)} WHERE position = ${id}` : `SELECT stacchip_chip(row) FROM ${sqlName(table)} WHERE rowid = ${id}`, assets: [], rgb: [],
      columns: c.columns,
      dates: place.map((o) => ({id: o.id, date: o.date, cloud: o.cloud, label: o.label})),
    };
  }

  image(table, id) {
    return this.byId.get(id)?.thumb || '';
  }

  async why() {
    return 'It could not be read when this page was written.';
  }

  async file(table, ids, format) {
    const chips = ids.map((id) => this.byId.get(id)).filter(Boolean);
    if (format === 'ids') return new Blob(chips.map((c) => `${c.handle}\n`), {type: 'text/plain'});
    if (format === 'geojson') {
      const features = chips.map((c) => ({type: 'Feature', properties: c.columns, geometry: c.geometry}));
      return new Blob([JSON.stringify({type: 'FeatureCollection', features})], {type: 'application/geo+json'});
    }
    const names = Object.keys(chips[0]?.columns || {});
    const lines = [names, ...chips.map((c) => names.map((n) => c.columns[n]))].map((row) => row.map(csvCell).join(',') + '\r\n');
    return new Blob(lines, {type: 'text/csv'});
  }
}
