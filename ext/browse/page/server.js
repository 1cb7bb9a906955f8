// The data of a page that `stacchip browse` serves. The other source, of a page in one file, has the
// same methods: embedded.js.

import {sqlOfFilter} from './text.js';

/** What a request was refused for; status: that of HTTP, 0 where no server answers. */
export class RequestError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export class ServerSource {
  constructor() {
    this.running = new Map(); // name of a request -> its AbortController: a new one ends the last
    this.can = {where: true, bands: true, tiles: true, expression: true, order: true};
  }

  async request(path, body, name) {
    const controller = new AbortController();
    if (name) {
      this.running.get(name)?.abort();
      this.running.set(name, controller);
    }
    let answer;
    try {
      answer = await fetch(path, {
        method: body ? 'POST' : 'GET',
        headers: body ? {'Content-Type': 'application/json'} : {},
        body: body ? JSON.stringify(body) : undefined,
        signal: controller.signal,
      });
    } catch (e) {
      if (e.name === 'AbortError') throw e;
      throw new RequestError('The server does not answer. Is `stacchip browse` still running?', 0);
    }
    if (answer.ok) return answer;
    const said = await answer.json().catch(() => ({}));
    throw new RequestError(said.error || `The server answers ${answer.status}`, answer.status);
  }

  async json(path, body, name) {
    return (await this.request(path, body, name)).json();
  }

  about() {
    return this.json('api/about');
  }

  world() {
    return this.json('world.json');
  }

  /** {cells} or {chips} in a box: see map.js. */
  map(filter, view) {
    return this.json('api/map', {...filter, ...view}, 'map');
  }

  histograms(filter) {
    return this.json('api/histograms', filter, 'histograms');
  }

  /** page: {limit, offset, order} or {sample, seed}. */
  list(filter, page) {
    return this.json('api/list', {...filter, ...page}, page.offset ? 'more' : 'list');
  }

  /** {ids, total}: the first of them, where there are very many. */
  select(filter, polygon) {
    return this.json('api/select', {...filter, polygon});
  }

  chip(table, id) {
    return this.json(`api/chip?${new URLSearchParams({table, id})}`, undefined, 'chip');
  }

  /** The address of a chip's picture. */
  image(table, id, {size, assets, stretch, overlay} = {}) {
    const q = new URLSearchParams({table, id});
    if (size) q.set('size', size);
    if (assets) q.set('assets', assets);
    if (stretch) q.set(stretch.startsWith('=') ? 'rescale' : 'stretch', stretch.replace(/^=/, ''));
    if (overlay) q.set('overlay', 'mask');
    return `chip.png?${q}`;
  }

  /** Why there is no picture at an address, or ''. */
  why(address) {
    return this.request(address, undefined, 'why').then(() => '', (error) => (error.name === 'AbortError' ? '' : error.message));
  }

  /** The address of tiles of the chips that pass a filter; order: SQL, what comes first lies on top. */
  tiles(filter, order) {
    const q = new URLSearchParams({table: filter.table});
    const where = sqlOfFilter(filter);
    if (where) q.set('where', where);
    if (order) q.set('order', order);
    return `tiles/{z}/{x}/{y}.png?${q}`;
  }

  async file(table, ids, format) {
    return (await this.request('api/export', {table, ids, format})).blob();
  }

  save(table, name, ids) {
    return this.json('api/save', {table, name, ids});
  }

  label(table, ids, label) {
    return this.json('api/label', {table, ids, label});
  }
}
