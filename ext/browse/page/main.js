// The page put together: one state, one source of data, and the parts that follow them.
import {byId, debounced, note, toast} from './dom.js';
import {DEFAULTS, createStore, filterOf, formatHash, isFiltered, parseHash} from './state.js';
import {makeScale} from './scale.js';
import {dayOfDate, formatCount, formatPercent} from './text.js';
import {ServerSource} from './server.js';
import {EmbeddedSource} from './embedded.js';
import {colorKeys, createFilters, showLegend} from './filters.js';
import {createMap} from './map.js';
import {createGrid} from './grid.js';
import {askLabel, createSelection} from './selection.js';
import {createChipView} from './chip.js';
import {listenToKeys, showHelp} from './keys.js';

const FILTERS = ['table', 'where', 'cloud', 'nodata', 'date', 'platform'];

function openSource() {
  const data = byId('data');
  if (!data) return new ServerSource();
  return new EmbeddedSource(JSON.parse(data.textContent), JSON.parse(byId('world').textContent));
}

/** Everything that the parts share. */
function createPage(source, about) {
  const store = createStore(parseHash(location.hash));
  const page = {source, about, store, waiting: 0, hash: location.hash};
  page.table = () => about.tables.find((t) => t.name === store.get().table) || about.tables[0];
  page.filter = () => ({...filterOf(store.get()), table: page.table().name});
  page.canWrite = () => Boolean(about.readWrite) && page.table().kind !== 'frozen';
  page.fail = (error, part = 'action') => {
    if (error.name !== 'AbortError') showError(page, error, part);
  };
  page.busy = async (promise) => {
    page.waiting++;
    byId('busy').hidden = false;
    try {
      return await promise;
    } finally {
      if (!--page.waiting) byId('busy').hidden = true;
    }
  };
  page.label = (ids, label) => writeLabel(page, ids, label);
  return page;
}

/**
 * Where an error of a part belongs: what the histograms cannot read is the WHERE; what only the map cannot, the colour; else it is
 * said at the foot of the page.
 */
function showError(page, error, part) {
  const {where, color} = page.store.get();
  const whereSaid = byId('where-error');
  if (error.status === 400 && where && part === 'filters') {
    note(whereSaid, error.message);
    byId('where').setAttribute('aria-invalid', 'true');
    note(byId('color-error'), '');
  } else if (error.status === 400 && part === 'map' && color.startsWith('sql:')) {
    if (whereSaid.hidden) note(byId('color-error'), error.message);
  } else if (error.status !== 400 || !where || part === 'action') toast(error.message);
}

async function writeLabel(page, ids, label) {
  if (!page.canWrite() || !ids.length) return;
  try {
    await page.source.label(page.table().name, ids, label);
    page.grid.setLabels(ids, label);
    page.chip.setLabel(ids, label);
    drawMap(page);
    toast(`${ids.length === 1 ? 'Chip' : `${formatCount(ids.length)} chips`} ${label ? `labelled ${label}` : 'without label'}`);
  } catch (error) {
    page.fail(error);
  }
}

/** An answer of a table that is still being counted: it is drawn, and asked for again. */
function againWhilePartial(page, name, answer) {
  if (answer.partial !== undefined && answer.partial < 1) page.later[name]();
}

async function drawMap(page) {
  const {color} = page.store.get();
  const table = page.table();
  try {
    const answer = await page.busy(page.source.map(page.filter(), {...page.map.view(), color: color.replace(/^sql:/, '')}));
    againWhilePartial(page, 'map', answer);
    const {value = [], names} = answer.chips || answer.cells;
    const values = names ? value.map((v) => (v == null ? null : names[v])) : value;
    const kind = color === 'date' ? 'date' : answer.kind || 'number';
    const scale = makeScale(color, kind, values, table.dates?.[0] ? table.dates.map(dayOfDate) : null);
    const words = new Map(colorKeys(table, page.source.can));
    note(byId('color-error'), '');
    page.map.draw(answer, scale);
    showLegend(scale, words.get(color) || color.replace(/^sql:/, ''));
    note(byId('map-note'), answer.total ? '' : isFiltered(page.store.get()) ? 'No chip passes the filters.' : 'This table has no chips.');
  } catch (error) {
    page.fail(error, 'map');
  }
}

/** What is said of a table that was still being read when the page was opened; a map that nobody has moved shows all of it. */
async function refreshTables(page) {
  page.about.tables = (await page.source.about()).tables;
  if (page.isFitted) fitTable(page);
}

function fitTable(page) {
  page.map.fit(page.table().extent || [-180, -60, 180, 75]);
  page.isFitted = true;
}

async function drawFilters(page) {
  try {
    const answer = await page.busy(page.source.histograms(page.filter()));
    againWhilePartial(page, 'filters', answer);
    if (page.table().loaded < 1) await refreshTables(page);
    page.filters.update(answer, page.table());
    note(byId('where-error'), '');
    byId('where').removeAttribute('aria-invalid');
    const counting = answer.partial === undefined ? '' : ` (${formatPercent(answer.partial)} counted)`;
    byId('total').textContent = answer.total === page.table().chips ? `${formatCount(answer.total)} chips` : `${formatCount(answer.total)} of ${formatCount(page.table().chips)} chips${counting}`;
  } catch (error) {
    page.fail(error, 'filters');
  }
}

function gridFilter(page) {
  return page.store.get().grid === 'view' ? {...page.filter(), bbox: page.map.view().bbox} : page.filter();
}

async function drawGrid(page) {
  try {
    const answer = await page.busy(page.grid.reload(page.table().name, page.store.get()));
    if (answer) againWhilePartial(page, 'grid', answer);
  } catch (error) {
    page.fail(error, 'grid');
  }
}

function drawImagery(page) {
  const {imagery} = page.store.get();
  byId('imagery').hidden = !page.source.can.tiles;
  byId('imagery').setAttribute('aria-pressed', String(imagery));
  page.map.setImagery(imagery && page.source.can.tiles ? page.source.tiles(page.filter(), page.table().kind === 'merge' ? 'cloud_cover_percentage, date DESC' : '') : null);
}

/** What follows from a change of the state. */
function follow(page) {
  page.later = {map: debounced(250, () => drawMap(page)), filters: debounced(250, () => drawFilters(page)), grid: debounced(1000, () => drawGrid(page))};
  const later = {map: debounced(60, () => drawMap(page)), filters: debounced(60, () => drawFilters(page)), grid: debounced(120, () => drawGrid(page))};
  page.store.subscribe((state, changed) => {
    const filtered = FILTERS.some((k) => changed.has(k));
    if (changed.has('table')) {
      page.selection.clear();
      page.filters.setTable(page.table());
      fitTable(page);
    }
    if (filtered || changed.has('color') || changed.has('view')) later.map();
    if (filtered || changed.has('color')) later.filters();
    if (filtered || ['grid', 'seed', 'order'].some((k) => changed.has(k)) || (changed.has('view') && state.grid === 'view')) later.grid();
    if (changed.has('imagery') || (filtered && state.imagery)) drawImagery(page);
    page.chip.follow(state, changed);
    showState(page);
    // A hash that is not ours was typed just now: its event, which is on the way, sets the state.
    if (location.hash !== page.hash) return;
    if (changed.has('chip') && state.chip === null && history.state === 'chip') history.back();
    else writeHash(page, changed.has('chip') && state.chip !== null && history.state !== 'chip');
  });
}

/** The state into the address. A chip that opens is a step of its own, so that Back closes it rather than leave the page. */
function writeHash(page, isStep = false) {
  const hash = formatHash(page.store.get());
  if (hash === location.hash || (hash === '#' && !location.hash)) return;
  if (isStep) history.replaceState('below a chip', '', location.href);
  if (isStep) history.pushState('chip', '', hash);
  else history.replaceState(history.state, '', hash);
  page.hash = location.hash;
}

/** Another hash came: typed, by a link, or by Back from a chip, which closes and leaves all else as it is. */
function followHash(page) {
  page.hash = location.hash;
  if (history.state === 'below a chip') {
    history.replaceState(null, '', location.href);
    page.store.set({chip: null});
    return writeHash(page);
  }
  const next = parseHash(location.hash);
  page.store.set(next);
  page.isFitted = false;
  if (next.view) page.map.go(next.view);
  else fitTable(page);
}

/** Fields and buttons as the state has them. */
function showState(page) {
  const state = page.store.get();
  if (document.activeElement !== byId('where')) byId('where').value = state.where;
  byId('table').value = page.table().name;
  byId('order').value = state.order;
  byId('order').disabled = state.grid === 'sample';
  byId('again').hidden = state.grid !== 'sample';
  document.querySelectorAll('[data-grid]').forEach((b) => b.setAttribute('aria-pressed', String(b.dataset.grid === state.grid)));
}

function setUpFields(page) {
  const {store} = page;
  const option = (value, words) => Object.assign(document.createElement('option'), {value, textContent: words});
  byId('table').replaceChildren(...page.about.tables.map((t) => option(t.name, t.kind === 'frozen' ? `${t.name} (frozen)` : t.name)));
  byId('table').addEventListener('change', (e) => store.set({...DEFAULTS, table: e.target.value, color: store.get().color}));
  const orders = [['', 'As stored'], ['date', 'Oldest first'], ['date desc', 'Newest first'], ['cloud', 'Least cloud'], ['cloud desc', 'Most cloud'], ['nodata', 'Least no data']];
  if (store.get().order && !orders.some(([o]) => o === store.get().order)) orders.push([store.get().order, store.get().order]);
  byId('order').replaceChildren(...orders.map(([value, words]) => option(value, words)));
  byId('order').addEventListener('change', (e) => store.set({order: e.target.value}));
  const apply = () => store.set({where: byId('where').value.trim()});
  byId('where-form').addEventListener('submit', (event) => {
    event.preventDefault();
    if (byId('where').value.trim() === store.get().where) drawFilters(page);
    apply();
  });
  byId('where').addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      byId('where-form').requestSubmit();
    }
  });
  document.querySelectorAll('[data-grid]').forEach((b) => b.addEventListener('click', () => store.set({grid: b.dataset.grid})));
  byId('again').addEventListener('click', () => store.set({seed: store.get().seed + 1}));
  byId('thumb-size').addEventListener('input', (e) => byId('grid').style.setProperty('--thumb', `${e.target.value}px`));
  document.querySelectorAll('[data-tool]').forEach((b) => b.addEventListener('click', () => page.map.setTool(b.dataset.tool)));
  byId('fit').addEventListener('click', () => page.map.fit(page.table().extent, true));
  byId('imagery').addEventListener('click', () => store.set({imagery: !store.get().imagery}));
  byId('help-button').addEventListener('click', () => showHelp(page.canWrite(), page.about.version));
  document.querySelectorAll('#tabs button').forEach((b) => b.addEventListener('click', () => showPart(b.dataset.part)));
}

/** On a narrow page one part is shown at a time. */
function showPart(part) {
  document.querySelector('main').dataset.part = part;
  document.querySelectorAll('#tabs button').forEach((b) => b.setAttribute('aria-pressed', String(b.dataset.part === part)));
}

function setUpKeys(page) {
  const {store} = page;
  const isModal = () => Boolean(document.querySelector('dialog[open]'));
  const open = () => page.chip.id();
  const targets = () => {
    if (open() !== null) return [open()];
    const focused = page.grid.focused();
    return page.selection.ids().size ? [...page.selection.ids()] : focused === null ? [] : [focused];
  };
  const label = (text) => () => (byId('ask').open || byId('help').open ? false : page.label(targets(), text));
  const outside = (f) => () => (isModal() ? false : f());
  const step = (by) => () => {
    if (open() === null) return false;
    const id = page.grid.neighbour(open(), by);
    if (id !== null) store.set({chip: id});
  };
  const tool = (name) => outside(() => page.map.setTool(name));
  const toggle = () => {
    const id = open() ?? page.grid.focused();
    if (id === null) return false;
    page.selection.toggle(id);
  };
  listenToKeys({
    '/': outside(() => byId('where').focus()), m: outside(() => byId('map').focus()), g: outside(() => {
      showPart('chips-part');
      page.grid.focus();
    }),
    0: outside(() => byId('fit').click()), b: tool('box'), o: tool('lasso'), a: outside(() => page.selection.add(page.grid.shownIds())),
    i: outside(() => page.source.can.tiles && byId('imagery').click()), n: outside(() => store.get().grid === 'sample' && byId('again').click()),
    x: toggle, v: () => (open() === null ? false : store.set({overlay: !store.get().overlay})), ArrowLeft: step(-1), ArrowRight: step(1),
    k: label('keep'), d: label('drop'), u: label(null), l: () => (page.canWrite() && targets().length && !byId('ask').open ? askLabel(page, targets()) : false),
    '?': outside(() => byId('help-button').click()),
    Escape: () => escape(page, isModal()),
  });
}

function escape(page, isModal) {
  if (isModal) return false;
  if (document.activeElement.matches('input, textarea, select')) document.activeElement.blur();
  else if (document.querySelector('[data-tool=pan]').getAttribute('aria-pressed') === 'false') page.map.setTool('pan');
  else page.selection.clear();
}

async function selectOnMap(page, polygon, isAdding) {
  try {
    const {ids, total} = await page.busy(page.source.select(page.filter(), polygon));
    if (isAdding) page.selection.add(ids);
    else page.selection.set(ids);
    if (!ids.length) toast('No chips there');
    else if (ids.length < total) toast(`The first ${formatCount(ids.length)} of ${formatCount(total)} chips there are selected: more at once cannot be`);
  } catch (error) {
    page.fail(error);
  }
}

function createParts(page) {
  const {source, store} = page;
  const moved = debounced(150, () => store.set({view: page.map.position()}));
  for (const type of ['pointerdown', 'wheel', 'keydown']) byId('map').addEventListener(type, () => (page.isFitted = false), {capture: true, passive: true});
  page.filters = createFilters(store, source);
  page.map = createMap({
    onview: moved,
    onchip: (id, isAdding) => (isAdding ? page.selection.toggle(id) : store.set({chip: id})),
    onplace: (ids, isAdding) => (isAdding ? page.selection.add(ids) : page.selection.set(ids)),
    onselect: (polygon, isAdding) => selectOnMap(page, polygon, isAdding),
    ontool: (name) => document.querySelectorAll('[data-tool]').forEach((b) => b.setAttribute('aria-pressed', String(b.dataset.tool === name))),
  });
  page.grid = createGrid(source, {
    fetch: (request) => source.list(gridFilter(page), request),
    onopen: (id) => store.set({chip: id}),
    ontoggle: (id, isRange) => (isRange && page.selection.last() !== null ? page.selection.add(page.grid.between(page.selection.last(), id)) : page.selection.toggle(id)),
    onerror: (error) => page.fail(error, 'grid'),
  });
  page.selection = createSelection(source, {
    table: page.table, canWrite: page.canWrite, label: page.label, onerror: page.fail,
    onchange: (ids) => {
      page.map.setSelected(ids);
      page.grid.setSelected(ids);
    },
  });
  page.chip = createChipView(source, {
    store, table: () => page.table().name, canWrite: page.canWrite, label: page.label, asklabel: (ids) => askLabel(page, ids), selection: page.selection,
    neighbour: (id, step) => page.grid.neighbour(id, step), onclose: (id) => page.grid.focus(id),
  });
}

function showFailure(message) {
  const box = document.createElement('div');
  box.className = 'failure-page';
  box.setAttribute('role', 'alert');
  box.append(Object.assign(document.createElement('h2'), {textContent: 'Nothing to show'}), Object.assign(document.createElement('p'), {textContent: message}));
  document.querySelector('main').replaceWith(box);
}

async function start() {
  try {
    const source = openSource();
    const about = await source.about();
    if (!about.tables.length) return showFailure('The database has no merged index and no frozen dataset.');
    document.title = `${about.name || about.tables[0].name} · stacchip`;
    const page = createPage(source, about);
    createParts(page);
    setUpFields(page);
    setUpKeys(page);
    const state = page.store.get();
    page.filters.setTable(page.table());
    if (state.view) page.map.go(state.view);
    else fitTable(page);
    follow(page);
    showState(page);
    drawImagery(page);
    await Promise.all([drawMap(page), drawFilters(page), drawGrid(page)]);
    page.chip.follow(state, new Set(['chip']));
    document.body.classList.add('ready');
    source.world().then((outline) => outline && page.map.setWorld(outline)).catch(() => {}); // a build without a network has none
    addEventListener('hashchange', () => followHash(page));
  } catch (error) {
    showFailure(error.message);
  }
}

start();
