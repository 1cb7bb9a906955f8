// page_ask.mjs FUNCTION <JSON: calls of functions of the page's modules, for the tests that compare them with other programs.
import {readFileSync} from 'node:fs';
import {pointInRing} from '../../ext/browse/page/geometry.js';
import {compileWhere} from '../../ext/browse/page/where.js';
import {worldOutline} from '../../ext/browse/page/world.js';

const FUNCTIONS = {
  // [sql, ...] over rows: which rows pass, of each
  where: ({names, rows, conditions}) => conditions.map((sql) => {
    const passes = compileWhere(sql, names);
    return rows.flatMap((row, i) => (passes(row) ? [i] : []));
  }),
  inside: ({points, ring}) => points.map((p) => pointInRing(p, ring)),
  outline: (topology) => {
    const {land, borders} = worldOutline(topology);
    return {land: land.map((p) => ({type: 'Polygon', coordinates: p})), n_borders: borders.length};
  },
};
console.log(JSON.stringify(FUNCTIONS[process.argv[2]](JSON.parse(readFileSync(0, 'utf8')))));
