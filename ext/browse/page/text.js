// Numbers, dates and SQL as text.

const DAY_MS = 86400000;

export function formatCount(n) {
  return Math.round(n).toLocaleString('en').replace(/,/g, '\u202f');
}

export function formatPercent(fraction) {
  if (fraction == null) return 'unknown';
  const p = fraction * 100;
  return (p > 0 && p < 1 ? '<1' : p > 99 && p < 100 ? '>99' : Math.round(p)) + '\u202f%';
}

/** A number in a legend: three digits that count. */
export function formatNumber(v) {
  if (v == null) return '–';
  if (Number.isInteger(v)) return Math.abs(v) < 1e6 ? String(v) : v.toExponential(2);
  return Math.abs(v) >= 1e5 || (v !== 0 && Math.abs(v) < 1e-3) ? v.toExponential(2) : String(Number(v.toPrecision(3)));
}

/** Days since 1970 of 'YYYY-MM-DD...', or null. */
export function dayOfDate(text) {
  const ms = text ? Date.parse(text.slice(0, 10) + 'T00:00:00Z') : NaN;
  return Number.isNaN(ms) ? null : Math.round(ms / DAY_MS);
}

/** 'YYYY-MM-DD' of days since 1970. */
export function dateOfDay(day) {
  return day == null || !Number.isFinite(day) ? '' : new Date(Math.round(day) * DAY_MS).toISOString().slice(0, 10);
}

export function sqlText(text) {
  return `'${String(text).replace(/'/g, "''")}'`;
}

export function sqlName(name) {
  return `"${String(name).replace(/"/g, '""')}"`;
}

/** The filter as the text after WHERE, to copy; '' where nothing is left out. */
export function sqlOfFilter(filter) {
  const terms = [];
  if (filter.where) terms.push(`(${filter.where})`);
  if (filter.cloud) terms.push(`cloud_cover_percentage BETWEEN ${filter.cloud[0]} AND ${filter.cloud[1]}`);
  if (filter.nodata) terms.push(`nodata_percentage BETWEEN ${filter.nodata[0]} AND ${filter.nodata[1]}`);
  if (filter.date) terms.push(`date BETWEEN ${sqlText(filter.date[0])} AND ${sqlText(filter.date[1])}`);
  if (filter.platform) terms.push(`platform IN (${filter.platform.map(sqlText).join(', ')})`);
  return terms.join(' AND ');
}
