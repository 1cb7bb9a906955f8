// The thumbnails: of the chips in view, page by page as they are scrolled to, or of a sample.
import {byId, h, note} from './dom.js';
import {formatCount, formatPercent} from './text.js';

const PAGE = 60;
const SAMPLE = 60;
// Browsers open six connections to a host: thumbnails leave two of them for everything else.
const AT_ONCE = 4;

/** Loads pictures as they come into view, AT_ONCE at a time, the last that came first. */
function createLoader(root) {
  const waiting = [];
  let running = 0;
  const next = () => {
    while (running < AT_ONCE && waiting.length) {
      const picture = waiting.pop();
      if (!picture.isConnected) continue;
      running++;
      const done = () => {
        running--;
        next();
      };
      picture.addEventListener('load', done, {once: true});
      picture.addEventListener('error', done, {once: true});
      picture.src = picture.dataset.src;
    }
  };
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const at = waiting.indexOf(entry.target);
      if (at >= 0) waiting.splice(at, 1);
      if (!entry.isIntersecting || entry.target.src) continue;
      waiting.push(entry.target);
    }
    next();
  }, {root, rootMargin: '150px'});
  return (picture, source) => {
    picture.dataset.src = source;
    seen.observe(picture);
  };
}

/** Words for one chip: alternative text, and the label of its place in the grid. */
export function chipWords(chip) {
  return [chip.item, chip.date || 'no date', `cloud ${formatPercent(chip.cloud)}`, chip.label ? `labelled ${chip.label}` : ''].filter(Boolean).join(', ');
}

/** callbacks: onopen(id), ontoggle(id, isRange), fetch(page) -> {chips, total}, onerror(error). */
export function createGrid(source, callbacks) {
  const grid = byId('grid');
  const load = createLoader(byId('chips-part'));
  const state = {chips: [], total: 0, table: '', cells: new Map(), selected: new Set(), busy: false, run: 0, page: null};

  const cellOf = (chip) => {
    const picture = h('img', {alt: '', decoding: 'async', draggable: 'false'});
    const frame = h('span', {class: 'frame'}, picture);
    picture.addEventListener('load', () => frame.classList.add('loaded'));
    picture.addEventListener('error', () => frame.classList.add('failed'));
    const check = h('span', {class: 'check', 'aria-hidden': 'true', title: 'Select'}, '✓');
    const cell = h('div', {
      class: 'chip', role: 'option', tabindex: -1, 'aria-selected': 'false', 'aria-label': chipWords(chip), 'data-id': chip.id, title: chip.item,
    }, frame, check, h('span', {class: 'badge', 'aria-hidden': 'true'}), h('span', {class: 'caption', 'aria-hidden': 'true'}, h('span', {}, chip.date || 'no date'), h('span', {}, formatPercent(chip.cloud))));
    load(picture, source.image(state.table, chip.id, {size: 256}));
    state.cells.set(chip.id, cell);
    showLabel(cell, chip);
    cell.setAttribute('aria-selected', String(state.selected.has(chip.id)));
    return cell;
  };

  const more = async () => {
    if (state.busy || !state.page || state.chips.length >= state.total) return;
    state.busy = true;
    const run = state.run;
    try {
      const answer = await callbacks.fetch({...state.page, offset: state.chips.length});
      if (run === state.run) {
        state.chips.push(...answer.chips);
        grid.append(...answer.chips.map(cellOf));
        state.total = answer.chips.length ? answer.total : state.chips.length;
      }
      lookForEnd();
    } catch (error) {
      callbacks.onerror(error);
    } finally {
      state.busy = false;
    }
  };
  const end = new IntersectionObserver((entries) => {
    if (entries.at(-1).isIntersecting) more();
  }, {root: byId('chips-part'), rootMargin: '600px'});
  /** The observer tells of changes alone, and a page of small thumbnails may leave the end in reach: let it begin anew. */
  const lookForEnd = () => {
    end.unobserve(byId('grid-end'));
    end.observe(byId('grid-end'));
  };

  grid.addEventListener('click', (event) => {
    const id = idOf(event.target);
    if (id === null) return;
    if (event.ctrlKey || event.metaKey || event.target.closest('.check')) callbacks.ontoggle(id, false);
    else if (event.shiftKey) callbacks.ontoggle(id, true);
    else callbacks.onopen(id);
  });
  grid.addEventListener('keydown', (event) => gridKey(grid, event, callbacks));
  grid.addEventListener('focusin', (event) => {
    const cell = event.target.closest('.chip');
    if (!cell) return;
    grid.querySelector('[tabindex="0"]')?.setAttribute('tabindex', '-1');
    cell.setAttribute('tabindex', '0');
  });

  return {
    /** Chips of state.grid 'view' (page by page) or 'sample'; the answer, undefined where another came first. */
    async reload(table, {grid: mode, order, seed}) {
      const run = ++state.run;
      state.table = table;
      state.page = mode === 'sample' ? null : {limit: PAGE, order};
      byId('chips-part').setAttribute('aria-busy', 'true');
      try {
        const answer = await callbacks.fetch(state.page ? {...state.page, offset: 0} : {sample: SAMPLE, seed});
        if (run !== state.run) return undefined;
        state.chips = answer.chips;
        state.total = answer.total;
        state.cells.clear();
        const had = grid.contains(document.activeElement) ? idOf(document.activeElement) : null;
        grid.replaceChildren(...answer.chips.map(cellOf));
        grid.firstElementChild?.setAttribute('tabindex', '0');
        byId('chips-part').scrollTop = 0;
        if (had !== null) (state.cells.get(had) || grid.firstElementChild)?.focus(); // who works by keys stays in the grid
        const said = !answer.total ? 'No chips here.' : mode === 'sample' ? `${formatCount(answer.chips.length)} of ${formatCount(answer.total)} chips, at random` : `${formatCount(answer.total)} chips in view`;
        note(byId('grid-note'), answer.partial < 1 ? `${said}, so far` : said);
        lookForEnd();
        return answer;
      } finally {
        if (run === state.run) byId('chips-part').removeAttribute('aria-busy');
      }
    },
    setSelected(ids) {
      state.selected = ids;
      for (const [id, cell] of state.cells) cell.setAttribute('aria-selected', String(ids.has(id)));
    },
    setLabels(ids, label) {
      for (const chip of state.chips) {
        if (!ids.includes(chip.id)) continue;
        chip.label = label;
        showLabel(state.cells.get(chip.id), chip);
      }
    },
    /** The chip before or after another one, or null. */
    neighbour(id, step) {
      const at = state.chips.findIndex((c) => c.id === id);
      return at < 0 ? null : (state.chips[at + step]?.id ?? null);
    },
    /** The ids from the one that has been toggled last to this one. */
    between(a, b) {
      const [i, j] = [a, b].map((id) => state.chips.findIndex((c) => c.id === id)).sort((x, y) => x - y);
      return i < 0 ? [b] : state.chips.slice(i, j + 1).map((c) => c.id);
    },
    focused: () => (grid.contains(document.activeElement) ? idOf(document.activeElement) : null),
    focus(id) {
      const cell = state.cells.get(id) || grid.querySelector('[tabindex="0"]');
      cell?.focus();
      cell?.scrollIntoView({block: 'nearest'});
    },
    shownIds: () => state.chips.map((c) => c.id),
  };
}

function idOf(element) {
  const cell = element.closest?.('.chip');
  return cell ? Number(cell.dataset.id) : null;
}

/** A mark for keep and drop, the word for any other label. */
function showLabel(cell, chip) {
  const badge = cell.querySelector('.badge');
  cell.dataset.label = chip.label || '';
  badge.textContent = {keep: '✓ keep', drop: '✕ drop'}[chip.label] || chip.label || '';
  badge.hidden = !chip.label;
  cell.setAttribute('aria-label', chipWords(chip));
}

function gridKey(grid, event, callbacks) {
  const id = idOf(event.target);
  if (id === null || event.ctrlKey || event.metaKey || event.altKey) return;
  const cells = [...grid.children];
  const at = cells.indexOf(event.target.closest('.chip'));
  const columns = getComputedStyle(grid).gridTemplateColumns.split(' ').length;
  const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -at, End: cells.length - 1 - at}[event.key];
  if (step !== undefined) cells[Math.min(cells.length - 1, Math.max(0, at + step))].focus();
  else if (event.key === 'Enter') callbacks.onopen(id);
  else if (event.key === ' ') callbacks.ontoggle(id, event.shiftKey);
  else return;
  event.preventDefault();
  event.stopPropagation();
}
