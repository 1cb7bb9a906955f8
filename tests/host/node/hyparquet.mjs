// Rows of a Parquet file as hyparquet sees them: node hyparquet.mjs FILE COLUMN...
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';

const [path, ...columns] = process.argv.slice(2);
const file = await asyncBufferFromFile(path);
const rows = await parquetReadObjects({ file, columns, compressors, utf8: false });
const shown = (v) => {
  if (v === null || v === undefined) return null;
  if (v instanceof Date) return v.toISOString().slice(0, 10);
  if (v instanceof Uint8Array) return Buffer.from(v).toString('hex').toUpperCase();
  return typeof v === 'bigint' ? String(v) : typeof v === 'object' ? JSON.stringify(v) : v;
};
console.log(JSON.stringify(rows.map((r) => columns.map((c) => shown(r[c])))));
