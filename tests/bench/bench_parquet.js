// DuckDB's side of bench_parquet: write its own table to zstd Parquet.
// node bench_parquet.js FILE OUT DATABASE [WITH_BBOX]: the table is made of FILE where DATABASE (a
// path or :memory:) has none; prints seconds of CPU, seconds and rows/s, the sync that we do included.
const fs = require('fs');
const { DuckDBInstance } = require('../host/node/node_modules/@duckdb/node-api');
async function main() {
  const [file, out, path, bbox] = process.argv.slice(2);
  const db = await DuckDBInstance.create(path, { threads: String(require('os').cpus().length) });
  const c = await db.connect();
  await c.run('SET enable_geoparquet_conversion=false');
  await c.run(`CREATE TABLE IF NOT EXISTS t AS SELECT * ${bbox ? '' : 'EXCLUDE (bbox)'} FROM read_parquet('${file}')`);
  const n = Number((await c.runAndReadAll('SELECT count(*) FROM t')).getRows()[0][0]);
  const cpu = process.cpuUsage();
  const begin = process.hrtime.bigint();
  await c.run(`COPY t TO '${out}' (FORMAT parquet, COMPRESSION zstd)`);
  const f = fs.openSync(out, 'r+');
  fs.fsyncSync(f);
  fs.closeSync(f);
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  const used = process.cpuUsage(cpu);
  console.log(`${((used.user + used.system) / 1e6).toFixed(2)} s of CPU`);
  console.log(`${seconds.toFixed(2)} s\n${Math.round(n / seconds)} rows/s`);
}
main().catch(e => { console.error(String(e)); process.exit(1); });
