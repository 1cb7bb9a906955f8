// The outline of the world from world-atlas' TopoJSON: no network, no server of tiles.

/** Decode the arcs (delta-coded integers) of a topology into [[longitude, latitude], ...] each. */
export function decodeArcs(topology) {
  const {scale: [kx, ky], translate: [dx, dy]} = topology.transform;
  return topology.arcs.map((arc) => {
    let x = 0;
    let y = 0;
    return arc.map(([a, b]) => [(x += a) * kx + dx, (y += b) * ky + dy]);
  });
}

/** A ring from its arc numbers; ~i is arc i the other way round. */
function ring(indexes, arcs) {
  const out = [];
  for (const i of indexes) {
    const arc = i < 0 ? arcs[~i].slice().reverse() : arcs[i];
    out.push(...(out.length ? arc.slice(1) : arc));
  }
  return out;
}

function polygons(geometry, arcs) {
  if (geometry.type === 'GeometryCollection') return geometry.geometries.flatMap((g) => polygons(g, arcs));
  const list = geometry.type === 'Polygon' ? [geometry.arcs] : geometry.type === 'MultiPolygon' ? geometry.arcs : [];
  return list.flatMap((p) => copies(p.map((r) => unwrapped(ring(r, arcs)))));
}

/** A ring across the antimeridian goes on behind 180 degrees; one round a pole stays as it is. */
function unwrapped(points) {
  let turn = 0;
  const out = points.map(([x, y], i) => {
    if (i && Math.abs(x - points[i - 1][0]) > 180) turn += x < points[i - 1][0] ? 360 : -360;
    return [x + turn, y];
  });
  return turn ? points : out;
}

/** What reaches beyond 180 degrees is also on the other side of the map. */
function copies(rings) {
  const x = rings[0].map((p) => p[0]);
  const shift = Math.max(...x) > 180 ? -360 : Math.min(...x) < -180 ? 360 : 0;
  return shift ? [rings, rings.map((r) => r.map(([lon, lat]) => [lon + shift, lat]))] : [rings];
}

/**
 * {land: polygons, each an array of rings; borders: lines that two countries share}, in
 * [longitude, latitude].
 */
export function worldOutline(topology) {
  const arcs = decodeArcs(topology);
  const uses = new Map();
  const count = (list) => list.forEach((i) => (Array.isArray(i) ? count(i) : uses.set(i < 0 ? ~i : i, (uses.get(i < 0 ? ~i : i) || 0) + 1)));
  topology.objects.countries.geometries.forEach((g) => count(g.arcs || []));
  return {
    land: polygons(topology.objects.land, arcs),
    borders: [...uses].filter(([, n]) => n > 1).map(([i]) => arcs[i]),
  };
}
