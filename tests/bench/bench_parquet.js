// DuckDB's side of bench_parquet: load FILE into its own table, write it to zstd Parquet.
// node bench_parquet.js FILE OUT [WITH_BBOX]: prints seconds of CPU, seconds and rows/s.
const { DuckDBInstance } = require('../host/node/node_modules/@duckdb/node-api');
async function main() {
  const [file, out, bbox] = process.argv.slice(2);
  const db = await DuckDBInstance.create(':memory:', { threads: String(require('os').cpus().length) });
  const c = await db.connect();
  await c.run('SET enable_geoparquet_conversion=false');
  await c.run(`CREATE TABLE t AS SELECT * ${bbox ? '' : 'EXCLUDE (bbox)'} FROM read_parquet('${file}')`);
  const n = Number((await c.runAndReadAll('SELECT count(*) FROM t')).getRows()[0][0]);
  const cpu = process.cpuUsage();
  const begin = process.hrtime.bigint();
  await c.run(`COPY t TO '${out}' (FORMAT parquet, COMPRESSION zstd)`);
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  const used = process.cpuUsage(cpu);
  console.log(`${((used.user + used.system) / 1e6).toFixed(2)} s of CPU`);
  console.log(`${seconds.toFixed(2)} s\n${Math.round(n / seconds)} rows/s`);
}
main().catch(e => { console.error(String(e)); process.exit(1); });
