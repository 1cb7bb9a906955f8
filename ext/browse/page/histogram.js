// A histogram with a brush: dragged over the bars, or typed into the two fields below it, which is
// how keyboards and screen readers set it.
import {dateOfDay, dayOfDate, formatCount} from './text.js';
import {h, svg} from './dom.js';

const WIDTH = 240; // units of the drawing, which is stretched to its place
const HEIGHT = 44;

const FRACTION = {
  parse: (text) => (text.trim() === '' || !Number.isFinite(Number(text)) ? null : Number(text)),
  format: (v) => String(Number(v.toFixed(4))),
  field: {type: 'number', min: 0, max: 1, step: 0.01, inputmode: 'decimal'},
  clamp: (v, lo, hi) => Math.min(hi, Math.max(lo, v)),
};
const DAY = {...FRACTION, parse: dayOfDate, format: dateOfDay, field: {type: 'date'}};

/** What bars are in days: the last day of a bin belongs to it, so that [first, last] are both in. */
function edgesOf(model, from, to) {
  const lo = model.lo + from * model.step;
  const hi = model.lo + to * model.step;
  return model.days ? [lo, Math.min(hi - 1, model.hi)] : [lo, Math.min(hi, model.hi)];
}

/**
 * {element, update}. update({counts, lo, step, hi, range}): bin i reaches from lo + i step; range: [least, greatest] of the
 * filter, or null. color(v): of a bar, or null. onchange(range or null) is called as the user sets it.
 */
export function createHistogram({title, name, days, color, onchange}) {
  const kind = days ? DAY : FRACTION;
  const bars = svg('g');
  const brush = svg('rect', {class: 'brush', y: 0, height: HEIGHT, visibility: 'hidden'});
  const drawing = svg('svg', {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img'}, bars, brush);
  const from = h('input', {...kind.field, id: `${name}-from`, 'aria-label': `${title}, from`});
  const to = h('input', {...kind.field, id: `${name}-to`, 'aria-label': `${title}, to`});
  const clear = h('button', {type: 'button', class: 'icon clear', 'aria-label': `Clear the filter of ${title}`, title: 'Clear', onclick: () => onchange(null)}, '×');
  const element = h('section', {class: `histogram ${days ? 'days' : ''}`, 'aria-label': title, 'data-name': name},
    h('header', {}, h('h2', {}, title), clear), drawing, h('div', {class: 'ends'}, from, h('span', {'aria-hidden': 'true'}, '–'), to));
  let model = {counts: [], lo: 0, step: 1, hi: 1, range: null};

  /** The end that was typed holds: where the other lies beyond it, that one goes. */
  function typed(event) {
    const [a, b] = [kind.parse(from.value), kind.parse(to.value)];
    if (a == null && b == null) return onchange(null);
    let [lo, hi] = [a ?? model.lo, b ?? model.hi].map((v) => kind.clamp(v, model.lo, model.hi));
    if (lo > hi) [lo, hi] = event.target === from ? [lo, model.hi] : [model.lo, hi];
    onchange(lo === model.lo && hi === model.hi ? null : [lo, hi]);
  }
  from.addEventListener('change', typed);
  to.addEventListener('change', typed);

  function show(range) {
    const n = model.counts.length;
    const at = (v) => ((v - model.lo) / (n * model.step)) * WIDTH;
    brush.setAttribute('visibility', range && n ? 'visible' : 'hidden');
    if (range && n) {
      const [a, b] = [at(range[0]), at(range[1] + (days ? 1 : 0))];
      brush.setAttribute('x', a);
      brush.setAttribute('width', Math.max(1.5, b - a));
    }
    [...bars.children].forEach((bar, i) => {
      const [a, b] = edgesOf(model, i, i + 1);
      bar.classList.toggle('out', Boolean(range) && (b < range[0] || a > range[1] || (!days && (b <= range[0] || a >= range[1]) && range[0] < range[1])));
    });
    const ends = range || [null, null];
    for (const [field, v, whole] of [[from, ends[0], model.lo], [to, ends[1], model.hi]]) {
      if (document.activeElement !== field) field.value = n ? kind.format(v ?? whole) : '';
    }
    clear.hidden = !range;
  }

  function update(next) {
    model = {...next, days};
    const most = Math.max(1, ...model.counts);
    const width = WIDTH / Math.max(1, model.counts.length);
    bars.replaceChildren(...model.counts.map((count, i) => {
      const height = count ? Math.max(2, (count / most) * (HEIGHT - 2)) : 0;
      const [a, b] = edgesOf(model, i, i + 1);
      return svg('rect', {x: i * width + width * 0.06, y: HEIGHT - height, width: width * 0.88, height, fill: color ? color((a + b) / 2) : null},
        svg('title', {}, `${kind.format(a)} – ${kind.format(b)}: ${formatCount(count)}`));
    }));
    drawing.setAttribute('aria-label', `${title}: ${formatCount(model.counts.reduce((a, b) => a + b, 0))} chips in ${model.counts.length} bins`);
    show(model.range);
  }

  brushed(drawing, () => model, show, onchange);
  return {element, update};
}

/** Dragging over the bars sets the range in whole bins; a click takes one bin, or the range away. */
function brushed(drawing, model, show, onchange) {
  let start = null;
  const bin = (event) => {
    const box = drawing.getBoundingClientRect();
    const n = model().counts.length;
    return Math.min(n - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * n)));
  };
  const range = (a, b) => edgesOf(model(), Math.min(a, b), Math.max(a, b) + 1);
  drawing.addEventListener('pointerdown', (event) => {
    if (event.button || !model().counts.length) return;
    start = bin(event);
    drawing.setPointerCapture(event.pointerId);
    show(range(start, start));
  });
  drawing.addEventListener('pointermove', (event) => {
    if (start !== null) show(range(start, bin(event)));
  });
  drawing.addEventListener('pointerup', (event) => {
    if (start === null) return;
    const [a, b] = [start, bin(event)];
    start = null;
    const old = model().range;
    const next = range(a, b);
    onchange(a === b && old && next[0] >= old[0] && next[1] <= old[1] ? null : next);
  });
  drawing.addEventListener('pointercancel', () => {
    start = null;
    show(model().range);
  });
}
