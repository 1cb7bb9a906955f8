// The map: Leaflet on canvas, an outline of the world, chips or counts of chips, and the tools that
// select by a box or a lasso. Leaflet is the global L.
import {byId, h, svg} from './dom.js';
import {pointInRing} from './geometry.js';
import {meanOf} from './scale.js';
import {formatCount} from './text.js';
import {worldOutline} from './world.js';

const LIMIT = [[-85.06, -190], [85.06, 190]];

function cssColor(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Pixels where no number of a line is read: at the left of the foot, at the head of the right side.
const SCALE_BAR = 135;
const LEGEND = 110;

const toLatLng = ([x, y]) => [y, x];

/** Degrees between lines of longitude and latitude, for about six lines in a view. */
export function graticuleStep(spanDegrees) {
  const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];
  return steps.find((s) => spanDegrees / s <= 6) || 30;
}

/** '62.85° W': of a longitude or a latitude, with the digits that a step needs. */
export function formatDegrees(value, step, [positive, negative]) {
  const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
  const text = Math.abs(value).toFixed(digits);
  return `${text}°${Number(text) === 0 ? '' : '\u202f' + (value < 0 ? negative : positive)}`;
}

/** callbacks: onview(), onchip(id, isAdding), onplace(ids, isAdding), onselect(polygon, isAdding), ontool(name). */
export function createMap(callbacks) {
  const map = L.map('map', {zoomControl: false, attributionControl: false, boxZoom: false, preferCanvas: true, maxBounds: LIMIT, maxBoundsViscosity: 0.8, minZoom: 1, zoomSnap: 0.5, worldCopyJump: false});
  L.control.zoom({position: 'topleft'}).addTo(map);
  L.control.scale({position: 'bottomleft', imperial: false}).addTo(map);
  for (const [name, z] of [['world', 200], ['imagery', 250], ['lines', 300], ['chips', 400], ['degrees', 450]]) {
    map.createPane(name).style.zIndex = z;
    if (name !== 'chips') map.getPane(name).style.pointerEvents = 'none';
  }
  map.setView([20, 0], 2, {animate: false});
  const shown = {
    map, callbacks, group: L.featureGroup().addTo(map), lines: L.layerGroup().addTo(map), world: L.layerGroup().addTo(map),
    renderers: {world: L.canvas({pane: 'world', padding: 0.4}), lines: L.canvas({pane: 'lines', padding: 0}), chips: L.canvas({pane: 'chips', padding: 0.4})},
    byChip: new Map(), selected: new Set(), tip: L.tooltip({direction: 'top', offset: [0, -6]}), outline: null, imagery: null, view: {bbox: [-180, -85, 180, 85], width: 1, height: 1},
  };
  map.on('moveend', () => {
    drawLines(shown);
    callbacks.onview();
  });
  shown.group.on('mousemove', (e) => hover(shown, e)).on('mouseout', () => map.closeTooltip(shown.tip));
  shown.group.on('click', (e) => clicked(shown, e));
  setUpTools(shown);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    drawWorld(shown);
    drawLines(shown);
    callbacks.onview();
  });
  new ResizeObserver(([entry]) => entry.contentRect.width && map.invalidateSize({animate: false, pan: false})).observe(byId('map'));
  drawLines(shown);
  return methodsOf(shown);
}

function methodsOf(shown) {
  const {map} = shown;
  return {
    /** The view as a request has it. */
    view() {
      const size = map.getSize();
      if (!size.x || !size.y) return shown.view; // another part of a narrow page is in front
      const b = map.getBounds();
      const lon = (v) => Math.min(180, Math.max(-180, v));
      const lat = (v) => Math.min(90, Math.max(-90, v));
      shown.view = {bbox: [lon(b.getWest()), lat(b.getSouth()), lon(b.getEast()), lat(b.getNorth())], width: size.x, height: size.y};
      return shown.view;
    },
    position: () => [map.getZoom(), Number(map.getCenter().lat.toFixed(5)), Number(map.getCenter().lng.toFixed(5))],
    go: ([zoom, lat, lon]) => map.setView([lat, lon], zoom, {animate: false}),
    fit([w, s, e, n], animate = false) {
      map.fitBounds([[s, w], [n, e]], {padding: [28, 28], maxZoom: 14, animate});
    },
    setWorld(topology) {
      shown.outline = worldOutline(topology);
      drawWorld(shown);
    },
    draw: (answer, scale) => draw(shown, answer, scale),
    setSelected(ids) {
      const changed = [...shown.selected, ...ids].filter((id) => ids.has(id) !== shown.selected.has(id));
      shown.selected = new Set(ids);
      for (const layer of new Set(changed.flatMap((id) => shown.byChip.get(id) || []))) {
        layer.setStyle(styleOf(shown, layer.place));
        if (layer.place.ids.some((id) => ids.has(id))) layer.bringToFront();
      }
    },
    setTool: (name) => shown.setTool(name),
    /** Tiles under the chips, whose colours are then outlines; null: none. */
    setImagery(url) {
      if (shown.imagery) shown.imagery.remove();
      shown.imagery = url ? L.tileLayer(url, {pane: 'imagery', minZoom: 8, maxZoom: 19, keepBuffer: 1, bounds: [[-85, -180], [85, 180]]}).addTo(map) : null;
      for (const layers of shown.byChip.values()) layers.forEach((l) => l.setStyle(styleOf(shown, l.place)));
    },
  };
}

function drawWorld(shown) {
  shown.world.clearLayers();
  if (!shown.outline) return;
  const common = {renderer: shown.renderers.world, interactive: false, smoothFactor: 1.2};
  L.polygon(shown.outline.land.map((p) => p.map((r) => r.map(toLatLng))), {...common, stroke: true, weight: 1, color: cssColor('--coast'), fillColor: cssColor('--land'), fillOpacity: 1}).addTo(shown.world);
  L.polyline(shown.outline.borders.map((l) => l.map(toLatLng)), {...common, weight: 0.7, color: cssColor('--border-line'), fill: false}).addTo(shown.world);
}

/** Lines of longitude and latitude with their numbers, since there may be nothing else to go by. */
function drawLines(shown) {
  if (!shown.map.getSize().x) return;
  const b = shown.map.getBounds();
  const step = graticuleStep(Math.max(b.getEast() - b.getWest(), (b.getNorth() - b.getSouth()) * 1.2));
  const common = {renderer: shown.renderers.lines, interactive: false, weight: 1, color: cssColor('--graticule'), noClip: false};
  const size = shown.map.getSize();
  shown.lines.clearLayers();
  const label = (latlng, text, side) => L.marker(latlng, {interactive: false, keyboard: false, pane: 'degrees', icon: L.divIcon({className: `degrees ${side}`, html: h('span', {}, text), iconSize: null})}).addTo(shown.lines);
  for (let x = Math.ceil(b.getWest() / step) * step; x <= b.getEast(); x += step) {
    if (Math.abs(x) > 180.001) continue;
    L.polyline([[b.getSouth(), x], [b.getNorth(), x]], common).addTo(shown.lines);
    const at = shown.map.latLngToContainerPoint([b.getSouth(), x]);
    if (at.x > SCALE_BAR) label(shown.map.containerPointToLatLng([at.x, size.y - 4]), formatDegrees(x, step, ['E', 'W']), 'bottom');
  }
  for (let y = Math.ceil(b.getSouth() / step) * step; y <= b.getNorth(); y += step) {
    L.polyline([[y, b.getWest()], [y, b.getEast()]], common).addTo(shown.lines);
    const at = shown.map.latLngToContainerPoint([y, b.getEast()]);
    if (at.y > LEGEND) label(shown.map.containerPointToLatLng([size.x - 4, at.y]), formatDegrees(y, step, ['N', 'S']), 'right');
  }
}

function styleOf(shown, place) {
  const selected = place.ids.some((id) => shown.selected.has(id));
  const fill = shown.imagery ? 0 : place.dropped ? 0.15 : 0.8;
  return {
    renderer: shown.renderers.chips, fillColor: place.color, fillOpacity: selected ? Math.max(fill, 0.25) : fill, opacity: 1,
    color: selected ? cssColor('--selected') : shown.imagery ? place.color : cssColor('--chip-line'), weight: selected ? 3 : shown.imagery ? 1.5 : 0.8,
  };
}

function draw(shown, answer, scale) {
  shown.group.clearLayers();
  shown.byChip.clear();
  shown.map.closeTooltip(shown.tip);
  if (answer.cells) return drawCells(shown, answer.cells, scale);
  for (const place of groupByPlace(answer.chips)) {
    const layers = place.rings.map((ring) => L.polygon(ring.map(toLatLng)));
    for (const layer of layers) {
      layer.place = {...place, color: scale.color(place.value), scale};
      layer.setStyle(styleOf(shown, layer.place)).addTo(shown.group);
    }
    for (const id of place.ids) shown.byChip.set(id, layers);
  }
}

/**
 * Chips with the same footprint as one place, since only the last of them would be seen: [{ids, rings, value, dropped}]. value:
 * their mean, of texts the most frequent; dropped: are all of them labelled so?
 */
export function groupByPlace({id: ids, rings, value: values, label: labels}) {
  const places = new Map();
  ids.forEach((id, i) => {
    const key = JSON.stringify(rings[i]);
    if (!places.has(key)) places.set(key, {ids: [], rings: rings[i], values: [], dropped: true});
    const place = places.get(key);
    place.ids.push(id);
    place.values.push(values[i]);
    place.dropped &&= labels?.[i] === 'drop';
  });
  const widths = new Map([...places.values()].map((p) => [p, widthOf(p.rings)]));
  return [...places.values()].sort((a, b) => widths.get(b) - widths.get(a)).map(({values: all, ...place}) => ({...place, value: meanOf(all)}));
}

/** Degrees of longitude: large footprints are drawn before small ones. */
function widthOf(rings) {
  const x = rings.flat().map((p) => p[0]);
  return Math.max(...x) - Math.min(...x);
}

/** Cells at small scales: the colour is the mean, the strength the number of chips. */
function drawCells(shown, cells, scale) {
  const most = cells.count.reduce((a, b) => Math.max(a, b), 1);
  cells.count.forEach((count, i) => {
    if (!count) return;
    const given = cells.value?.[i] ?? null;
    const value = given !== null && cells.names ? cells.names[given] : given;
    const x = cells.w + (i % cells.nx) * cells.dx;
    const y = cells.s + Math.floor(i / cells.nx) * cells.dy;
    const strength = 0.35 + 0.6 * (Math.log1p(count) / Math.log1p(most));
    const rectangle = L.rectangle([[y, x], [y + cells.dy, x + cells.dx]], {
      renderer: shown.renderers.chips, weight: 0.8, color: cssColor('--chip-line'), opacity: 1, fillColor: value == null ? cssColor('--accent') : scale.color(value), fillOpacity: strength,
    });
    rectangle.cell = {count, value, scale};
    rectangle.addTo(shown.group);
  });
}

function valueText(value, scale) {
  if (value == null) return 'no value';
  return scale.kind === 'number' ? scale.format(value) : String(value);
}

function hover(shown, event) {
  const {ids, count = ids.length, value, scale} = event.layer.place || event.layer.cell;
  const text = count === 1 ? valueText(value, scale) : `${formatCount(count)} chips, ${typeof value === 'number' ? 'mean ' : 'mostly '}${valueText(value, scale)}`;
  shown.tip.setContent(h('span', {}, text)).setLatLng(event.latlng);
  if (!shown.map.hasLayer(shown.tip)) shown.map.openTooltip(shown.tip);
}

function clicked(shown, event) {
  L.DomEvent.stopPropagation(event);
  const {place} = event.layer;
  if (!place) return shown.map.setView(event.latlng, shown.map.getZoom() + 2);
  const {ctrlKey, metaKey} = event.originalEvent;
  shown.callbacks.onchip(place.ids[0], ctrlKey || metaKey);
}

/** A surface over the map takes the pointer while a box or a lasso is drawn. */
function setUpTools(shown) {
  const shape = svg('polygon', {class: 'drawn'});
  const surface = h('div', {class: 'surface', hidden: true, 'aria-hidden': 'true'}, svg('svg', {}, shape));
  byId('map').append(surface);
  let tool = 'pan';
  let points = null;
  let once = false; // a box by Shift: the next drag moves the map again
  const at = (event) => {
    const box = surface.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const corners = ([[ax, ay], [bx, by]]) => [[ax, ay], [bx, ay], [bx, by], [ax, by]];
  const path = () => (tool === 'lasso' ? points : corners([points[0], points.at(-1)]));
  const begin = (event) => {
    points = [at(event)];
    surface.setPointerCapture(event.pointerId);
  };
  const end = () => {
    points = null;
    shape.setAttribute('points', '');
    if (once) shown.setTool('pan');
  };
  shown.setTool = (name) => {
    tool = name;
    once = false;
    surface.hidden = name === 'pan';
    if (points) end();
    shown.callbacks.ontool(name);
  };
  byId('map').addEventListener('pointerdown', (event) => {
    if (tool !== 'pan' || !event.shiftKey || event.button) return;
    event.stopPropagation();
    shown.setTool('box');
    once = true;
    begin(event);
  }, {capture: true});
  surface.addEventListener('pointerdown', (event) => {
    if (!event.button && !points) begin(event);
  });
  surface.addEventListener('pointermove', (event) => {
    if (!points) return;
    const next = at(event);
    if (tool === 'box' || Math.hypot(next[0] - points.at(-1)[0], next[1] - points.at(-1)[1]) > 3) points.push(next);
    shape.setAttribute('points', path().map((p) => p.join(',')).join(' '));
  });
  surface.addEventListener('pointerup', (event) => {
    if (!points) return;
    const [start, drawn] = [points[0], points.length > 2 ? path() : null];
    const add = event.ctrlKey || event.metaKey || (event.shiftKey && (!once || !drawn));
    end();
    if (drawn) shown.callbacks.onselect(closedRing(shown.map, drawn), add);
    else shown.callbacks.onplace(placeAt(shown, start), add);
  });
  surface.addEventListener('pointercancel', end);
  for (const name of ['mousedown', 'dblclick', 'click', 'touchstart']) surface.addEventListener(name, (event) => event.stopPropagation());
}

/** The ids of the place at a point of the map: the smallest one, which is drawn last; none: []. */
function placeAt(shown, point) {
  const {lng, lat} = shown.map.containerPointToLatLng(point);
  const at = [...shown.byChip.values()].flat().map((l) => l.place).filter((p) => p.rings.some((r) => pointInRing([lng, lat], r)));
  return at.at(-1)?.ids || [];
}

function closedRing(map, points) {
  const ring = points.map((p) => {
    const {lng, lat} = map.containerPointToLatLng(p);
    return [Number(lng.toFixed(7)), Number(lat.toFixed(7))];
  });
  return [...ring, ring[0]];
}
