// The keys, and the help that lists them.
import {byId, h} from './dom.js';

const KEYS = [
  ['/', 'write a WHERE'], ['m', 'to the map'], ['g', 'to the chips'], ['0', 'show all chips on the map'], ['b', 'select by a box'], ['o', 'select by a lasso'],
  ['a', 'select the chips that the grid shows'], ['i', 'imagery on the map'], ['n', 'another sample'], ['Arrow keys', 'move in the grid, on the map, from chip to chip'],
  ['Enter', 'look at a chip'], ['Space, x', 'select a chip'], ['v', 'mask over the picture'], ['Esc', 'close, let go of a tool, clear the selection'], ['?', 'this help'],
];
const WRITING = [['k', 'keep: the chip that is looked at, else the selection, else the one in focus'], ['d', 'drop'], ['l', 'label by a word'], ['u', 'take the label away']];

export function showHelp(canWrite, version) {
  const rows = (list) => list.map(([key, words]) => h('tr', {}, h('th', {scope: 'row'}, key.split(', ').flatMap((k, i) => [i ? ' ' : null, h('kbd', {}, k)])), h('td', {}, words)));
  const dialog = byId('help');
  dialog.replaceChildren(
    h('header', {}, h('h2', {id: 'help-title'}, 'Keys'), h('button', {type: 'button', class: 'icon', 'aria-label': 'Close', onclick: () => dialog.close()}, '×')),
    h('table', {class: 'keys'}, h('tbody', {}, rows(KEYS), canWrite ? rows(WRITING) : null)),
    h('p', {}, 'Drag over a histogram to filter by it. On the map, Shift and drag selects by a box; Ctrl and click adds a chip. The address of the page holds the view: send it.'),
    canWrite ? null : h('p', {}, 'Labels and tables are written by a server that was started with --read-write.'),
    h('p', {class: 'version'}, `stacchip ${version}`));
  dialog.showModal();
}

/** actions: name of a key -> function; those that return false leave the key to others. */
export function listenToKeys(actions) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const writing = event.target.closest?.('input:not([type=checkbox]):not([type=range]), textarea, select');
    if (writing && event.key !== 'Escape') return;
    const action = actions[event.key];
    if (action && action(event) !== false) event.preventDefault();
  });
}
