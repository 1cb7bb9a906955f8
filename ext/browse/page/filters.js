// The filters beside the map: histograms, platforms, what colours mean; the timeline below it.
import {byId, h, note} from './dom.js';
import {createHistogram} from './histogram.js';
import {dateOfDay, dayOfDate, formatCount} from './text.js';
import {CATEGORIES, NO_VALUE, SEQUENTIAL, makeScale} from './scale.js';
import {isFiltered} from './state.js';

/** What the page offers to colour by: [key, words]; columns of a frozen dataset or the user's too. */
export function colorKeys(table, can) {
  const keys = [['cloud', 'Cloud'], ['nodata', 'No data'], ['date', 'Date'], ['platform', 'Platform'], ['split', 'Split'], ['label', 'Label']];
  const own = (table.columns || []).map((c) => c.name).filter((name) => /^(class|split|label|prediction|score|weight)$/i.test(name));
  for (const name of can.expression ? own : []) if (!keys.some(([k]) => k === name)) keys.push([`sql:"${name}"`, name]);
  if (can.expression) keys.push(['sql:', 'SQL expression …']);
  return keys;
}

export function createFilters(store, source) {
  const fraction = (title, name) => createHistogram({
    title, name, color: (v) => (store.get().color === name ? makeScale(name, 'number', []).color(v) : null), onchange: (range) => store.set({[name]: range}),
  });
  const parts = {
    cloud: fraction('Cloud', 'cloud'), nodata: fraction('No data', 'nodata'),
    date: createHistogram({title: 'Date', name: 'date', days: true, onchange: (range) => store.set({date: range && range.map(dateOfDay)})}),
  };
  byId('histograms').append(parts.cloud.element, parts.nodata.element);
  byId('timeline').append(parts.date.element);
  byId('clear-filters').addEventListener('click', () => store.set({where: '', cloud: null, nodata: null, date: null, platform: []}));
  setUpColor(store);

  return {
    /** Bars, as api/histograms gives them. */
    update(answer, table) {
      const state = store.get();
      for (const name of ['cloud', 'nodata']) {
        parts[name].update({counts: answer[name], lo: 0, step: 1 / answer[name].length, hi: 1, range: state[name]});
      }
      const {first, step_days: step, counts} = answer.dates;
      const lo = dayOfDate(first) ?? 0;
      parts.date.update({counts: counts || [], lo, step, hi: dayOfDate(table.dates?.[1]) ?? lo, range: state.date && state.date.map(dayOfDate)});
      showPlatforms(store, answer.platforms);
      byId('clear-filters').hidden = !isFiltered(state);
    },
    /** The table was switched: what there is to colour by. */
    setTable(table) {
      const color = store.get().color;
      byId('color').replaceChildren(...colorKeys(table, source.can).map(([key, words]) => h('option', {value: key}, words)));
      showColor(color);
    },
  };
}

function showColor(color) {
  const select = byId('color');
  const known = [...select.options].some((o) => o.value === color);
  select.value = known ? color : 'sql:';
  byId('color-form').hidden = select.value !== 'sql:';
  if (!known) byId('color-sql').value = color.replace(/^sql:/, '');
}

function setUpColor(store) {
  byId('color').addEventListener('change', (event) => {
    const key = event.target.value;
    byId('color-form').hidden = key !== 'sql:';
    note(byId('color-error'), '');
    if (key === 'sql:') byId('color-sql').focus();
    else store.set({color: key});
  });
  byId('color-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const sql = byId('color-sql').value.trim();
    if (sql) store.set({color: `sql:${sql}`});
  });
  store.subscribe((state, changed) => {
    if (changed.has('color')) showColor(state.color);
  });
}

function showPlatforms(store, counts) {
  const chosen = store.get().platform;
  const names = [...new Set([...Object.keys(counts), ...chosen])].sort();
  const rows = names.map((name) => h('label', {},
    h('input', {type: 'checkbox', value: name, checked: chosen.includes(name), onchange: (event) => {
      const now = store.get().platform.filter((p) => p !== name);
      store.set({platform: event.target.checked ? [...now, name].sort() : now});
    }}),
    h('span', {class: 'name'}, name || 'none'), h('span', {class: 'count'}, formatCount(counts[name] || 0))));
  const list = byId('platforms').querySelector('div');
  const focused = list.contains(document.activeElement) ? document.activeElement.value : null;
  list.replaceChildren(...rows);
  if (focused !== null) [...list.querySelectorAll('input')].find((i) => i.value === focused)?.focus();
  byId('platforms').hidden = names.length < 2 && !chosen.length;
}

/** What the colours of the map mean. */
export function showLegend(scale, title) {
  const legend = byId('legend');
  if (scale.kind === 'text') {
    const entry = (color, name) => {
      const swatch = h('i', {class: 'swatch'});
      swatch.style.background = color;
      return h('li', {}, swatch, name);
    };
    const more = scale.n_more ? [entry(CATEGORIES.at(-1), `${scale.n_more} more`)] : [];
    legend.replaceChildren(h('h2', {}, title), h('ul', {}, scale.names.map((n) => entry(scale.color(n), n)), more, entry(NO_VALUE, 'none')));
    return;
  }
  const ramp = h('div', {class: 'ramp', 'aria-hidden': 'true'});
  ramp.style.background = `linear-gradient(to right, ${SEQUENTIAL.join(', ')})`;
  legend.replaceChildren(h('h2', {}, title), ramp, h('div', {class: 'ends'}, h('span', {}, scale.format(scale.lo)), h('span', {}, scale.format(scale.hi))));
}
