// Files of every type, written by DuckDB: node make.js FOLDER makes v1.parquet, v2.parquet
// (delta and split encodings) and one for each codec.
const { DuckDBInstance } = require('@duckdb/node-api');

const types = `SELECT CASE WHEN i % 7 THEN i END AS i64, (i % 100)::INTEGER AS i32, (i % 100)::SMALLINT AS i16, (i % 100)::TINYINT AS i8,
  (i * 184467440737)::UBIGINT AS u64, i::UINTEGER AS u32, (i % 100)::USMALLINT AS u16, (i % 100)::UTINYINT AS u8,
  i / 3.0::DOUBLE AS f64, CASE WHEN i % 5 THEN (i / 3.0)::FLOAT END AS f32, i % 3 = 0 AS flag,
  CASE WHEN i % 11 THEN 'text ' || i || ' é' END AS t, repeat('long', (i % 50)::INT) AS t2, ('x' || i % 5) AS dict, i::VARCHAR::BLOB AS b,
  DATE '2000-01-01' + i::INT AS d, TIMESTAMP '2020-01-01' + INTERVAL (i) SECOND AS ts, (TIMESTAMP '2020-01-01' + INTERVAL (i) SECOND)::TIMESTAMP_MS AS ts_ms,
  (TIMESTAMP '2020-01-01' + INTERVAL (i) SECOND)::TIMESTAMPTZ AS tstz, (i / 100.0)::DECIMAL(9, 2) AS dec9, (i / 100.0)::DECIMAL(15, 3) AS dec15,
  {'a': i, 'b': {'c': 'n' || i}} AS s, NULL::INTEGER AS nothing, 'same' AS same FROM range(20000) r(i)`;

async function main() {
  const folder = process.argv[2];
  const c = await (await DuckDBInstance.create(':memory:')).connect();
  const write = (name, options) => c.run(`COPY (${types}) TO '${folder}/${name}.parquet' (FORMAT parquet, ROW_GROUP_SIZE 4096${options})`);
  await write('v1', '');
  await write('v2', ', PARQUET_VERSION v2');
  for (const codec of ['uncompressed', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4_raw']) await write(codec, `, PARQUET_VERSION v2, COMPRESSION ${codec}`);
}
main().catch((e) => { console.error(String(e)); process.exit(1); });
