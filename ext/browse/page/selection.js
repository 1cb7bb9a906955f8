// The chips that the user has selected, and what can be done with them.
import {byId, copyText, h, saveBlob, toast} from './dom.js';
import {formatCount, sqlName} from './text.js';

/** What a name for a table may not be empty of; the server quotes it. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;

/** SQL that makes a table of chips, to copy. table: {name, kind}. */
export function sqlOfSelection({name, kind}, ids, target) {
  const columns = kind === 'frozen' ? 'position AS id, handle' : 'rowid AS id, chipid, row';
  return `CREATE TABLE ${sqlName(target)} AS SELECT ${columns} FROM ${sqlName(name)} WHERE ${kind === 'frozen' ? 'position' : 'rowid'} IN (${ids.join(', ')});`;
}

/** callbacks: table() -> {name, kind}, canWrite() -> bool, label(ids, text or null), onchange(ids), onerror(error). */
export function createSelection(source, callbacks) {
  let ids = new Set();
  let last = null;

  const change = (next) => {
    ids = next;
    show();
    callbacks.onchange(ids);
  };
  const list = () => [...ids];

  async function download(format, ending) {
    try {
      saveBlob(await source.file(callbacks.table().name, list(), format), `${callbacks.table().name}-selection.${ending}`);
    } catch (error) {
      callbacks.onerror(error);
    }
  }

  async function save() {
    const name = await askText('Save the selection as a table', 'Name of the table', `${callbacks.table().name}_selection`, (v) => (NAME.test(v) ? '' : 'Letters, digits and _, not beginning with a digit'));
    if (name === null) return;
    try {
      const answer = await source.save(callbacks.table().name, name, list());
      toast(`${formatCount(answer.rows)} chips in the table ${name}`);
    } catch (error) {
      callbacks.onerror(error);
    }
  }

  function show() {
    const bar = byId('selection');
    bar.hidden = !ids.size;
    document.body.classList.toggle('selecting', ids.size > 0);
    if (!ids.size) return;
    const button = (words, onclick, title) => h('button', {type: 'button', onclick, title: title || null}, words);
    const write = callbacks.canWrite() ? [
      h('span', {class: 'group'}, button('Keep', () => callbacks.label(list(), 'keep'), 'k'), button('Drop', () => callbacks.label(list(), 'drop'), 'd'), button('Label …', () => askLabel(callbacks, list()), 'l')),
      button('Save as table …', save),
    ] : [];
    bar.replaceChildren(h('strong', {'aria-live': 'polite'}, `${formatCount(ids.size)} selected`), ...write,
      h('span', {class: 'group'}, button('CSV', () => download('csv', 'csv')), button('GeoJSON', () => download('geojson', 'geojson')), button('Ids', () => download('ids', 'txt'))),
      button('Copy SQL', () => copyText(sqlOfSelection(callbacks.table(), list(), `${callbacks.table().name}_selection`), 'SQL')),
      button('Clear', () => change(new Set()), 'Escape'));
  }

  return {
    ids: () => ids,
    set: (next) => change(new Set(next)),
    add: (more) => change(new Set([...ids, ...more])),
    toggle(id) {
      const next = new Set(ids);
      if (!next.delete(id)) next.add(id);
      last = id;
      change(next);
    },
    last: () => last,
    clear: () => ids.size && change(new Set()),
  };
}

/** Ask for a text; null: the user thought better of it. check(text): what is wrong with it, or ''. */
export function askText(title, words, value, check) {
  const dialog = byId('ask');
  return new Promise((resolve) => {
    const field = h('input', {id: 'ask-field', value, autocomplete: 'off', spellcheck: 'false', 'aria-describedby': 'ask-error'});
    const wrong = h('p', {id: 'ask-error', class: 'error', role: 'alert', hidden: true});
    let result = null;
    const form = h('form', {method: 'dialog'}, h('h2', {id: 'ask-title'}, title), h('label', {for: 'ask-field'}, words), field, wrong,
      h('div', {class: 'actions'}, h('button', {type: 'button', onclick: () => dialog.close()}, 'Cancel'), h('button', {type: 'submit', class: 'primary'}, 'Save')));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const problem = check(field.value.trim());
      wrong.textContent = problem;
      wrong.hidden = !problem;
      if (problem) return;
      result = field.value.trim();
      dialog.close();
    });
    dialog.addEventListener('close', () => resolve(result), {once: true});
    dialog.replaceChildren(form);
    dialog.showModal();
    field.select();
  });
}

/** Ask for a label of the user's words; an empty one takes labels away. */
export async function askLabel(callbacks, ids) {
  const label = await askText(`Label ${ids.length === 1 ? 'this chip' : `${formatCount(ids.length)} chips`}`, 'Label (empty: none)', '', (v) => (v.length <= 200 ? '' : 'At most 200 characters'));
  if (label !== null) callbacks.label(ids, label || null);
}
