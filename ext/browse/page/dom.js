// Elements made without markup: whatever comes from a database is text here, never HTML.

/** The element with this id; the page's own ids only. */
export function byId(id) {
  return document.getElementById(id);
}

/**
 * h('button', {class: 'icon', onclick: f, 'aria-label': t}, 'text', child, ...): an element.
 * Strings become text nodes; null and false children are left out; a property true is an empty
 * attribute, false or null none.
 */
export function h(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

/** The same for SVG. */
export function svg(name, properties = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), properties, children);
}

function fill(element, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, '');
    else if (value !== false && value != null) element.setAttribute(key, String(value));
  }
  element.append(...children.flat().filter((c) => c != null && c !== false).map((c) => (c instanceof Node ? c : String(c))));
  return element;
}

/** Text under an element that is shown only while there is some. */
export function note(element, text) {
  element.textContent = text || '';
  element.hidden = !text;
}

let toastTimer;
/**
 * A sentence at the foot of the page for some seconds, read aloud too. A modal dialog lies over the page and hides it from
 * screen readers: then it stands in the dialog, which may drop it when it is filled anew.
 */
export function toast(text) {
  const element = byId('toast') || h('div', {id: 'toast', role: 'status', 'aria-live': 'polite'});
  const top = [...document.querySelectorAll('dialog[open]')].at(-1) || document.body;
  if (element.parentNode !== top) top.append(element);
  element.textContent = text;
  element.classList.add('shown');
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => element.classList.remove('shown'), 4000);
}

/** Copy a text; without the clipboard (an insecure address) by a text area. */
export async function copyText(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h('textarea', {class: 'hidden-text'});
    area.value = text;
    (document.querySelector('dialog[open]') || document.body).append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  toast(`${what} copied`);
}

/** Have the browser save a Blob. */
export function saveBlob(blob, name) {
  const url = URL.createObjectURL(blob);
  h('a', {href: url, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** f() once, `ms` after the last call. */
export function debounced(ms, f) {
  let timer;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => f(...args), ms);
  };
}
