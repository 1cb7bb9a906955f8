// Rows of a Parquet file as DuckDB sees them: node duck.js FILE COLUMN... prints a JSON array
// of rows. A column "a.b" is field b of a. BLOBs and geometry come as hex, booleans as 0 and 1,
// dates and timestamps as ISO text with six digits.
const { DuckDBInstance } = require('@duckdb/node-api');

const quote = (name) => '"' + name.replace(/"/g, '""') + '"';

// The column's parts, as the file's schema has them: names may hold dots.
function expression(path, parts) {
  const names = parts.get(path) || [path];
  return names.slice(1).reduce((e, p) => `struct_extract(${e}, '${p.replace(/'/g, "''")}')`, quote(names[0]));
}

function shown(e, type) {
  if (type === 'BOOLEAN') return `CAST(${e} AS INTEGER)`;
  if (type === 'BLOB') return `hex(${e})`;
  if (type.startsWith('GEOMETRY')) return `hex(ST_AsWKB(${e}))`;
  if (type === 'DATE') return `strftime(${e}, '%Y-%m-%d')`;
  if (type.startsWith('TIMESTAMP')) return `strftime(CAST(${e} AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%f')`;
  if (['DOUBLE', 'FLOAT'].includes(type)) return `CAST(${e} AS DOUBLE)`;
  return `CAST(${e} AS VARCHAR)`;
}

async function main() {
  const [file, ...columns] = process.argv.slice(2);
  const c = await (await DuckDBInstance.create(':memory:')).connect();
  await c.run("SET TimeZone='UTC'").catch(() => {});
  await c.run('SET enable_geoparquet_conversion=false').catch(() => {});
  const from = `read_parquet('${file}', hive_partitioning=false)`;
  const leaves = (await c.runAndReadAll(`SELECT DISTINCT column_id, path_in_schema FROM parquet_metadata('${file}')`)).getRows();
  const parts = new Map(leaves.map((r) => [r[1].split(', ').join('.'), r[1].split(', ')]));
  const list = columns.map((p, i) => `${expression(p, parts)} AS c${i}`).join(', ');
  const types = (await c.runAndReadAll(`DESCRIBE SELECT ${list} FROM ${from}`)).getRows();
  const out = types.map((t) => shown(t[0], t[1])).join(', ');
  const rows = (await c.runAndReadAll(`SELECT ${out} FROM (SELECT ${list} FROM ${from})`)).getRowsJson();
  console.log(JSON.stringify(rows));
}
main().catch((e) => { console.error(String(e)); process.exit(1); });
