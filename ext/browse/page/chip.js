// One chip: its picture with bands, stretch and mask, all dates of its place, its numbers, handle and SQL.
import {byId, copyText, h, note} from './dom.js';
import {formatPercent} from './text.js';

const SIZE = 768;
const STRETCHES = [['2,98', '2–98 %'], ['0,100', 'Least to greatest'], ['5,95', '5–95 %'], ['0.5,99.5', '0.5–99.5 %']];

/** What of a chip is shown as numbers: [name, text], long texts cut. */
export function numbersOf(columns) {
  return Object.entries(columns).filter(([name]) => !['geometry', 'row', 'item_json', 'search_area', 'index_options'].includes(name)).map(([name, value]) => {
    const text = value == null ? 'NULL' : typeof value === 'object' ? JSON.stringify(value) : String(value);
    return [name, text.length > 400 ? text.slice(0, 400) + ' …' : text];
  });
}

/** callbacks: store, table(), canWrite(), neighbour(id, step), label(ids, label), asklabel(ids), selection, onclose(id). */
export function createChipView(source, callbacks) {
  const dialog = byId('chip-view');
  const {store} = callbacks;
  const view = {chip: null, id: null, picture: null, run: 0, labels: new Map()};

  const options = () => {
    const {assets, stretch, overlay} = store.get();
    return {size: SIZE, assets: assets || undefined, stretch, overlay};
  };
  const draw = () => {
    if (!view.chip) return;
    const frame = view.picture.parentElement;
    frame.classList.remove('loaded', 'failed');
    view.picture.src = source.image(callbacks.table(), view.chip.id, options());
    for (const small of dialog.querySelectorAll('.dates img')) small.src = source.image(callbacks.table(), Number(small.dataset.id), {...options(), size: 192});
  };
  const close = () => store.set({chip: null});
  dialog.addEventListener('cancel', (event) => {
    event.preventDefault();
    close();
  });
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) close();
  });

  async function open(id) {
    const run = ++view.run;
    view.id = id;
    view.labels.clear();
    dialog.setAttribute('aria-busy', 'true');
    if (!dialog.open) {
      dialog.replaceChildren(h('p', {class: 'loading'}, 'Reading the chip …'));
      dialog.showModal();
    }
    try {
      const chip = await source.chip(callbacks.table(), id);
      if (run !== view.run) return;
      view.chip = {...chip, id, label: view.labels.has(id) ? view.labels.get(id) : chip.label};
      build(view, source, callbacks, {close, draw});
      byId('chip-title').focus();
      draw();
    } catch (error) {
      if (error.name === 'AbortError' || run !== view.run) return;
      view.chip = null;
      dialog.replaceChildren(h('header', {}, h('h2', {id: 'chip-title'}, `Chip ${id}`), closeButton(close)), h('p', {class: 'error', role: 'alert'}, error.message));
    } finally {
      if (run === view.run) dialog.removeAttribute('aria-busy');
    }
  }

  return {
    /** As the state says: opens, switches, closes, draws again. */
    follow(state, changed) {
      if (changed.has('chip')) {
        if (state.chip !== null) return open(state.chip);
        const {id} = view;
        view.run++;
        view.chip = view.id = null;
        if (dialog.open) dialog.close();
        if (id !== null) callbacks.onclose(id);
      } else if (['assets', 'stretch', 'overlay'].some((k) => changed.has(k))) {
        draw();
      }
    },
    /** The chip that the dialog is of, be it read by now or not: what keys are meant for. */
    id: () => view.id,
    setLabel(ids, label) {
      if (ids.includes(view.id)) view.labels.set(view.id, label);
      if (!view.chip) return;
      if (ids.includes(view.chip.id)) view.chip.label = label;
      view.chip.dates.forEach((d) => ids.includes(d.id) && (d.label = label));
      note(dialog.querySelector('.label'), view.chip.label);
    },
  };
}

function closeButton(close) {
  return h('button', {type: 'button', class: 'icon', 'aria-label': 'Close', title: 'Close (Esc)', onclick: close}, '×');
}

function build(view, source, callbacks, {close, draw}) {
  const {chip} = view;
  const {columns} = chip;
  const step = (by) => {
    const id = callbacks.neighbour(chip.id, by);
    if (id !== null) callbacks.store.set({chip: id});
  };
  const title = columns.chipid || `${columns.item_id ?? columns.item ?? 'chip'}-${columns.chip_index_x}-${columns.chip_index_y}`;
  view.picture = h('img', {alt: `Picture of ${title}`, width: SIZE, height: SIZE});
  const frame = pictureFrame(view.picture, source);
  byId('chip-view').replaceChildren(
    h('header', {},
      h('button', {type: 'button', class: 'icon', 'aria-label': 'Chip before', title: 'Chip before (←)', disabled: callbacks.neighbour(chip.id, -1) === null, onclick: () => step(-1)}, '‹'),
      h('button', {type: 'button', class: 'icon', 'aria-label': 'Next chip', title: 'Next chip (→)', disabled: callbacks.neighbour(chip.id, 1) === null, onclick: () => step(1)}, '›'),
      h('h2', {id: 'chip-title', tabindex: -1}, title), h('span', {class: 'label', hidden: !chip.label}, chip.label || ''), closeButton(close)),
    h('div', {class: 'chip-body'},
      h('div', {class: 'look'}, frame, source.can.bands ? controls(chip, callbacks.store) : null, labelButtons(chip, callbacks)),
      h('div', {class: 'tell'}, datesOf(chip, callbacks, source), tableOf(columns), textToCopy('Handle', chip.handle), textToCopy('SQL', chip.sql), itemOf(chip.item))));
}

/** The picture, or why there is none. */
function pictureFrame(picture, source) {
  const why = h('p', {hidden: true});
  const frame = h('div', {class: 'frame large'}, picture, h('div', {class: 'failure', role: 'status'}, h('p', {}, 'This chip cannot be read.'), why));
  picture.addEventListener('load', () => frame.classList.add('loaded'));
  picture.addEventListener('error', async () => {
    const address = picture.src;
    note(why, '');
    frame.classList.add('failed');
    const said = await source.why(address);
    if (picture.src === address) note(why, said);
  });
  return frame;
}

/** Which assets are red, green and blue; the stretch; the mask. */
function controls(chip, store) {
  const names = chip.assets.length ? chip.assets.map((a) => a.name) : chip.rgb; // a dataset names no more
  const now = store.get().assets ? store.get().assets.split(',') : chip.rgb;
  const change = () => store.set({assets: channels.map((c) => c.value).join(',')});
  const pick = (words, i) => {
    const select = h('select', {'aria-label': words, onchange: change}, names.map((n) => h('option', {value: n}, n)));
    select.value = now[i] ?? now[0] ?? '';
    return select;
  };
  const channels = ['Red', 'Green', 'Blue'].map(pick);
  const stretch = h('select', {id: 'stretch', 'aria-label': 'Stretch', onchange: () => store.set({stretch: stretch.value})}, STRETCHES.map(([v, words]) => h('option', {value: v}, words)));
  const given = store.get().stretch;
  if (!STRETCHES.some(([v]) => v === given)) stretch.append(h('option', {value: given}, given.replace(/^=/, '')));
  stretch.value = given;
  const low = h('input', {type: 'number', 'aria-label': 'Value that is black', placeholder: 'black'});
  const high = h('input', {type: 'number', 'aria-label': 'Value that is white', placeholder: 'white'});
  const values = () => {
    if (low.value !== '' && high.value !== '' && Number(low.value) < Number(high.value)) store.set({stretch: `=${low.value},${high.value}`});
  };
  low.addEventListener('change', values);
  high.addEventListener('change', values);
  if (given.startsWith('=')) [low.value, high.value] = given.slice(1).split(',');
  return h('div', {class: 'controls'},
    h('fieldset', {class: 'rgb'}, h('legend', {}, 'Red, green, blue'), channels,
      h('button', {type: 'button', title: 'The usual colours', onclick: () => {
        store.set({assets: ''});
        channels.forEach((c, i) => (c.value = chip.rgb[i] ?? chip.rgb[0] ?? ''));
      }}, 'Reset')),
    h('fieldset', {}, h('legend', {}, 'Stretch'), stretch, low, high),
    h('label', {class: 'overlay'}, h('input', {type: 'checkbox', id: 'overlay', checked: store.get().overlay, onchange: (e) => store.set({overlay: e.target.checked})}), 'Mask over it'));
}

function labelButtons(chip, callbacks) {
  const selected = callbacks.selection.ids().has(chip.id);
  const select = h('button', {type: 'button', 'aria-pressed': String(selected), title: 'x', onclick: () => {
    callbacks.selection.toggle(chip.id);
    select.setAttribute('aria-pressed', String(callbacks.selection.ids().has(chip.id)));
  }}, 'Select');
  const button = (words, label, key) => h('button', {type: 'button', title: key, onclick: () => callbacks.label([chip.id], label)}, words);
  return h('div', {class: 'actions'}, select, callbacks.canWrite() ? [
    button('Keep', 'keep', 'k'), button('Drop', 'drop', 'd'),
    h('button', {type: 'button', title: 'l', onclick: () => callbacks.asklabel([chip.id])}, 'Label …'), button('No label', null, 'u')] : null);
}

/** All dates of the place, side by side. */
function datesOf(chip, callbacks, source) {
  if (chip.dates.length < 2) return null;
  const cells = chip.dates.map((d) => {
    const picture = h('img', {alt: '', loading: 'lazy', 'data-id': d.id});
    const frame = h('span', {class: 'frame'}, picture);
    picture.addEventListener('load', () => frame.classList.add('loaded'));
    picture.addEventListener('error', () => frame.classList.add('failed'));
    return h('li', {}, h('button', {
      type: 'button', 'aria-current': d.id === chip.id ? 'true' : null, 'aria-label': `${d.date || 'no date'}, cloud ${formatPercent(d.cloud)}`,
      onclick: () => callbacks.store.set({chip: d.id}),
    }, frame, h('span', {class: 'caption'}, h('span', {}, d.date || 'no date'), h('span', {}, formatPercent(d.cloud)))));
  });
  return h('section', {'aria-label': 'All dates of this place'}, h('h3', {}, `${chip.dates.length} dates of this place`), h('ul', {class: 'dates'}, cells));
}

function tableOf(columns) {
  const rows = numbersOf(columns).map(([name, text]) => h('tr', {}, h('th', {scope: 'row'}, name), h('td', {}, text)));
  return h('section', {}, h('h3', {}, 'Columns'), h('table', {class: 'columns'}, h('tbody', {}, rows)));
}

function textToCopy(words, text) {
  if (!text) return null;
  return h('section', {class: 'copy'}, h('h3', {}, words), h('pre', {tabindex: 0}, text), h('button', {type: 'button', onclick: () => copyText(text, words)}, `Copy ${words === 'SQL' ? 'SQL' : words.toLowerCase()}`));
}

function itemOf(item) {
  if (!item) return null;
  const text = JSON.stringify(item, null, 2);
  return h('details', {}, h('summary', {}, 'The item'), h('pre', {tabindex: 0}, text.length > 20000 ? text.slice(0, 20000) + '\n…' : text));
}
