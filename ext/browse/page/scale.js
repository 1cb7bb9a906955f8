// Colours of values: viridis for numbers (perceptually even, readable with every kind of colour
// blindness; nine of matplotlib's stops), Okabe and Ito's palette for names.
import {dateOfDay, formatNumber, formatPercent} from './text.js';

export const SEQUENTIAL = ['#440154', '#472d7b', '#3b528b', '#2c728e', '#21918c', '#28ae80', '#5ec962', '#addc30', '#fde725'];
export const CATEGORIES = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#f0e442', '#999999'];
export const NO_VALUE = '#8a8f98';

function channel(hex, i) {
  return parseInt(hex.slice(1 + 2 * i, 3 + 2 * i), 16);
}

/** The colour at t in 0..1 on viridis. */
export function sequentialColor(t) {
  const x = Math.min(1, Math.max(0, t)) * (SEQUENTIAL.length - 1);
  const i = Math.min(SEQUENTIAL.length - 2, Math.floor(x));
  const mix = [0, 1, 2].map((c) => Math.round(channel(SEQUENTIAL[i], c) + (x - i) * (channel(SEQUENTIAL[i + 1], c) - channel(SEQUENTIAL[i], c))));
  return `rgb(${mix.join(', ')})`;
}

function numberScale(lo, hi, format) {
  const span = hi - lo;
  return {
    kind: 'number', lo, hi, format,
    color: (v) => (v == null || !Number.isFinite(v) ? NO_VALUE : sequentialColor(span > 0 ? (v - lo) / span : 0.5)),
  };
}

/** Names by how often they come; the eighth colour is for all after the seventh. */
function categoryScale(values) {
  const counts = new Map();
  for (const v of values) if (v != null) counts.set(String(v), (counts.get(String(v)) || 0) + 1);
  const names = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a) || (a < b ? -1 : 1));
  const top = names.slice(0, CATEGORIES.length - 1).sort();
  const last = CATEGORIES[CATEGORIES.length - 1];
  return {
    kind: 'text', names: top, n_more: names.length - top.length,
    color: (v) => {
      if (v == null) return NO_VALUE;
      const i = top.indexOf(String(v));
      return i < 0 ? last : CATEGORIES[i];
    },
  };
}

/**
 * The scale for values that a map shows. key: the state's `color`; kind: 'number', 'date' (days since
 * 1970) or 'text'; days: [first, last] of the table. Fractions keep 0..1 and dates the table's
 * days, so that colours do not change while the map moves.
 */
export function makeScale(key, kind, values, days) {
  if (key === 'cloud' || key === 'nodata') return numberScale(0, 1, formatPercent);
  if (kind === 'text') return categoryScale(values);
  const known = values.filter((v) => typeof v === 'number' && Number.isFinite(v));
  if (kind === 'date') {
    const [lo, hi] = days || [Math.min(...known), Math.max(...known)];
    return numberScale(lo, hi, dateOfDay);
  }
  let lo = Infinity;
  let hi = -Infinity;
  for (const v of known) {
    lo = Math.min(lo, v);
    hi = Math.max(hi, v);
  }
  return numberScale(known.length ? lo : 0, known.length ? hi : 1, formatNumber);
}

/** What one place or cell shows of several values: their mean, of texts the most frequent, null of none. */
export function meanOf(values) {
  const known = values.filter((v) => v != null);
  if (!known.length) return null;
  if (known.every((v) => typeof v === 'number')) return known.reduce((a, b) => a + b, 0) / known.length;
  const counts = new Map();
  for (const v of known) counts.set(v, (counts.get(v) || 0) + 1);
  return [...counts].reduce((a, b) => (b[1] > a[1] ? b : a))[0];
}
