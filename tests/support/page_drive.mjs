// page_drive.mjs <CONFIG: opens pages in headless Chromium, does what the scenarios say, and prints as JSON what came of each.
// CONFIG: {chromium, modules, runs: [{name, scenario, url, ...}]}. A result has error (or null), value, and of the page its
// requests, its errors (console, exceptions, refusals of the content security policy) and whether a dialog opened.
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';

const config = JSON.parse(readFileSync(0, 'utf8'));
const {chromium} = createRequire(config.modules + '/')('playwright-core');

const ready = (page) => page.waitForSelector('body.ready', {timeout: 30000});
const total = (page) => page.textContent('#total').then((t) => t.replace(/\u202f/g, ''));
const text = (page, selector) => page.textContent(selector).then((t) => t.trim());
const count = (page, selector) => page.locator(selector).count();
/** Until the grid and the numbers follow a change. */
const settled = async (page) => {
  await page.waitForTimeout(350);
  await page.waitForFunction(() => document.querySelector('#busy').hidden && !document.querySelector('#chips-part[aria-busy]'), null, {timeout: 30000});
};

async function where(page, sql) {
  await page.fill('#where', sql);
  await page.press('#where', 'Enter');
  await settled(page);
}

/** Pixels of a picture of the page, as it has been decoded: [width, height, bytes of red, green, blue in base64]. */
function pixels(image) {
  const canvas = document.createElement('canvas');
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const {data} = context.getImageData(0, 0, canvas.width, canvas.height);
  let out = '';
  for (let i = 0; i < data.length; i += 4) out += String.fromCharCode(data[i], data[i + 1], data[i + 2]);
  return [canvas.width, canvas.height, btoa(out)];
}

async function drag(page, [ax, ay], [bx, by]) {
  const box = await page.locator('#map').boundingBox();
  const at = (x, y) => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(ax, ay));
  await page.mouse.down();
  await page.mouse.move(...at((ax + bx) / 2, (ay + by) / 2), {steps: 4});
  await page.mouse.move(...at(bx, by), {steps: 4});
  await page.mouse.up();
  await settled(page);
}

const selected = (page) => page.textContent('#selection').then((t) => Number((/([\d\u202f]+) selected/.exec(t) || [0, '0'])[1].replace(/\u202f/g, '')));

const SCENARIOS = {
  async load(page) {
    await ready(page);
    await settled(page);
    return {total: await total(page), thumbs: await count(page, '#grid .chip'), loaded: await page.waitForSelector('#grid .frame.loaded').then(() => true), legend: await text(page, '#legend'),
      title: await page.title(), platforms: await text(page, '#platforms'), tables: await page.locator('#table option').allTextContents(),
      drawn: await page.evaluate(() => [...document.querySelectorAll('#map canvas')].map((c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v > 0)))};
  },

  /** Each kind of filter in turn; the numbers that the page says. */
  async filter(page) {
    await ready(page);
    await where(page, 'cloud_cover_percentage < 0.1');
    const bySql = await total(page);
    await where(page, '');
    const box = await page.locator('[data-name=cloud] svg').boundingBox();
    await page.mouse.move(box.x + box.width * 0.975, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.52, box.y + 20, {steps: 3});
    await page.mouse.up();
    await settled(page);
    const byBrush = await total(page);
    await page.fill('#cloud-to', '0.05');
    await page.fill('#cloud-from', '0');
    await page.press('#cloud-from', 'Tab');
    await settled(page);
    const byField = await total(page);
    await page.fill('#date-from', '2024-06-01');
    await page.press('#date-from', 'Tab');
    await settled(page);
    const byDate = await total(page);
    await page.check('#platforms label:first-child input');
    await settled(page);
    const byPlatform = [await total(page), await text(page, '#platforms label:first-child .name')];
    const hash = await page.evaluate(() => location.hash);
    await page.click('#clear-filters');
    await settled(page);
    return {bySql, byBrush, byField, byDate, byPlatform, hash, cleared: await total(page)};
  },

  /** The hash of a view shows that view again. */
  async total(page) {
    await ready(page);
    await settled(page);
    return {total: await total(page), where: await page.inputValue('#where'), color: await text(page, '#legend h2'), open: await page.evaluate(() => document.querySelector('#chip-view').open)};
  },

  async sqlError(page, {sql}) {
    await ready(page);
    await settled(page);
    const before = await total(page);
    await where(page, sql);
    await page.waitForSelector('#where-error:not([hidden])');
    const said = await text(page, '#where-error');
    const role = await page.getAttribute('#where-error', 'role');
    await where(page, '');
    return {said, role, before, after: await total(page), hidden: await page.locator('#where-error').isHidden()};
  },

  /** A colour that is no SQL is said below its field, and not below the WHERE. */
  async colorError(page, {sql}) {
    await ready(page);
    await page.selectOption('#color', 'sql:');
    await page.fill('#color-sql', sql);
    await page.press('#color-sql', 'Enter');
    await page.waitForSelector('#color-error:not([hidden])');
    return {said: await text(page, '#color-error'), where: await page.locator('#where-error').isHidden()};
  },

  /** Boxes and a lasso, with the requests that they make; the keys for them. */
  async select(page) {
    await ready(page);
    await settled(page);
    const asked = [];
    page.on('request', (r) => r.url().endsWith('/api/select') && asked.push(JSON.parse(r.postData())));
    await page.keyboard.press('b');
    await drag(page, [0.05, 0.13], [0.95, 0.97]);
    const all = await selected(page);
    await drag(page, [0.3, 0.3], [0.5, 0.5]);
    const some = await selected(page);
    await page.click('[data-tool=lasso]');
    const box = await page.locator('#map').boundingBox();
    await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.35);
    await page.mouse.down();
    for (const [x, y] of [[0.62, 0.6], [0.4, 0.62], [0.5, 0.36]]) await page.mouse.move(box.x + box.width * x, box.y + box.height * y, {steps: 5});
    await page.mouse.up();
    await settled(page);
    const lasso = await selected(page);
    const marked = await count(page, '#grid .chip[aria-selected=true]');
    const [file] = await Promise.all([page.waitForEvent('download'), page.click('#selection button:text-is("Ids")')]);
    const ids = readFileSync(await file.path(), 'utf8').trim().split('\n');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    return {all, some, lasso, marked, ids, asked, cleared: await page.locator('#selection').isHidden()};
  },

  /** The keyboard alone: to the grid, along it, a selection, a chip, the next, and back. */
  async keyboard(page) {
    await ready(page);
    await settled(page);
    await page.keyboard.press('g');
    const first = await page.evaluate(() => document.activeElement.getAttribute('aria-label'));
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Space');
    const chosen = await selected(page);
    await page.keyboard.press('Enter');
    await page.waitForSelector('#chip-title');
    const title = await text(page, '#chip-title');
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction((t) => document.querySelector('#chip-title')?.textContent !== t, title);
    const next = await text(page, '#chip-title');
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => !document.querySelector('#chip-view').open && document.activeElement !== document.body);
    const focused = await page.evaluate(() => document.activeElement.className);
    await page.keyboard.press('?');
    const help = await text(page, '#help');
    await page.keyboard.press('Escape');
    const nameless = await page.evaluate(() => [...document.querySelectorAll('button, input, select, textarea, [role]')].filter((e) => {
      const labels = e.labels ? [...e.labels].map((l) => l.textContent).join('') : '';
      return !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || labels || e.textContent.trim() || e.closest('[hidden]') || ['alert', 'status'].includes(e.getAttribute('role')));
    }).map((e) => e.outerHTML.slice(0, 80)));
    return {first, chosen, title, next, focused, help, nameless};
  },

  /** The pictures of the first chips of the grid, and of one chip with other bands. */
  async pictures(page, {n, chip, frozen}) {
    await ready(page);
    if (frozen) await page.selectOption('#table', {index: 1});
    if (frozen) await settled(page);
    await page.waitForFunction((k) => document.querySelectorAll('#grid .frame.loaded').length >= k, n, {timeout: 60000});
    const grid = [];
    for (const cell of (await page.locator('#grid .chip').all()).slice(0, n)) {
      await cell.scrollIntoViewIfNeeded();
      await cell.locator('.frame.loaded').waitFor();
      grid.push([Number(await cell.getAttribute('data-id')), await cell.locator('img').evaluate(pixels)]);
    }
    if (!chip) return {grid};
    await page.evaluate((hash) => (location.hash = hash), chip);
    await page.waitForSelector('.frame.large.loaded', {timeout: 60000});
    return {grid, large: await page.locator('.frame.large img').evaluate(pixels), dates: await count(page, '.dates li'), handle: await page.locator('.copy pre').first().textContent()};
  },

  /** Labels by keys; the last one is of words. */
  async label(page) {
    await ready(page);
    await settled(page);
    await page.keyboard.press('g');
    const ids = await page.locator('#grid .chip').evaluateAll((cells) => cells.slice(0, 4).map((c) => Number(c.dataset.id)));
    const press = async (key) => {
      const answer = page.waitForResponse((r) => r.url().endsWith('/api/label'));
      await page.keyboard.press(key);
      return (await answer).status();
    };
    const statuses = [await press('k')];
    await page.keyboard.press('ArrowRight');
    statuses.push(await press('d'));
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('l');
    await page.fill('#ask-field', 'two words, "quoted" <b>');
    const answer = page.waitForResponse((r) => r.url().endsWith('/api/label'));
    await page.keyboard.press('Enter');
    statuses.push((await answer).status());
    await page.locator('#grid .chip').nth(3).focus();
    statuses.push(await press('k'), await press('u'));
    await settled(page);
    return {ids, statuses, badges: (await page.locator('#grid .badge').allTextContents()).slice(0, 4)};
  },

  async saveTable(page, {table}) {
    await ready(page);
    await settled(page);
    await page.keyboard.press('a');
    const n = await selected(page);
    await page.click('#selection button:text-is("Save as table …")');
    await page.fill('#ask-field', '1 wrong; name');
    await page.keyboard.press('Enter');
    const wrong = await text(page, '#ask-error');
    await page.fill('#ask-field', table);
    const answer = page.waitForResponse((r) => r.url().endsWith('/api/save'));
    await page.keyboard.press('Enter');
    return {n, wrong, status: (await answer).status()};
  },

  /** A page of a stranger: everything that it tries is told to have failed or not. */
  async stranger(page, {target}) {
    return page.evaluate(async (address) => {
      const tries = {};
      const attempt = async (name, f) => {
        tries[name] = await f().then((v) => `read: ${String(v).slice(0, 200)}`, (e) => `failed: ${e}`);
      };
      const post = {method: 'POST', body: '{"table":"chips"}'};
      await attempt('get', async () => (await fetch(address + 'api/about')).text());
      await attempt('json', async () => (await fetch(address + 'api/histograms', {...post, headers: {'Content-Type': 'application/json'}})).text());
      await attempt('simple', async () => (await fetch(address + 'api/histograms', {...post, headers: {'Content-Type': 'text/plain'}})).text());
      await attempt('opaque', async () => (await (await fetch(address + 'api/about', {mode: 'no-cors'})).text()) || Promise.reject(new Error('empty')));
      await attempt('image', () => new Promise((yes, no) => {
        const image = new Image();
        image.onload = () => {
          const canvas = document.createElement('canvas');
          canvas.getContext('2d').drawImage(image, 0, 0);
          try {
            yes(canvas.toDataURL());
          } catch (e) {
            no(e);
          }
        };
        image.onerror = () => no(new Error('no image'));
        image.src = address + 'chip.png?table=chips&id=1';
      }));
      await attempt('script', () => new Promise((yes, no) => {
        const script = document.createElement('script');
        script.onload = () => yes('ran');
        script.onerror = () => no(new Error('no script'));
        script.src = address + 'page.js';
        document.head.append(script);
      }));
      await attempt('frame', () => new Promise((yes, no) => {
        const frame = document.createElement('iframe');
        frame.onload = () => {
          try {
            yes(frame.contentDocument.body.innerHTML.length || no(new Error('empty')));
          } catch (e) {
            no(e);
          }
        };
        frame.src = address;
        document.body.append(frame);
        setTimeout(() => no(new Error('nothing came')), 4000);
      }));
      return tries;
    }, target);
  },

  /** Whatever a hostile database says, seen everywhere that the page shows it: no script of it runs. */
  async hostile(page, {chip}) {
    await ready(page);
    await settled(page);
    for (const key of ['platform', 'label', 'split', 'date']) {
      await page.selectOption('#color', key);
      await settled(page);
    }
    await page.keyboard.press('a');
    await page.hover('#map');
    await page.evaluate((hash) => (location.hash = hash), chip);
    await page.waitForSelector('#chip-view .columns', {timeout: 30000});
    for (const summary of await page.locator('#chip-view summary').all()) await summary.click();
    await page.waitForTimeout(300);
    return {marker: await page.evaluate(() => window.hacked ?? null), title: await text(page, '#chip-title'), scripts: await count(page, 'script'), foreign: await count(page, 'main img[onerror], dialog b, dialog script, main b, iframe, object, embed'),
      text: await text(page, '#chip-view .columns')};
  },

  /** What keys label while a chip is read, is late or cannot be read; where it is said that labels could not be written. */
  async lateChips(page) {
    await ready(page);
    await settled(page);
    const ids = await page.locator('#grid .chip').evaluateAll((cells) => cells.slice(0, 4).map((c) => Number(c.dataset.id)));
    const asked = [];
    await page.route('**/api/label', (route) => {
      asked.push(JSON.parse(route.request().postData()).ids);
      return route.fulfill({status: 503, contentType: 'application/json', body: '{"error":"database is locked"}'});
    });
    let hold = null;
    await page.route('**/api/chip?*', async (route) => {
      const id = Number(new URL(route.request().url()).searchParams.get('id'));
      if (id === ids[2]) return route.fulfill({status: 500, contentType: 'application/json', body: '{"error":"it is broken"}'});
      await hold;
      return route.continue().catch(() => {});
    });
    const label = async (key) => {
      const answer = page.waitForResponse((r) => r.url().endsWith('/api/label'));
      await page.keyboard.press(key);
      await answer;
    };
    let let_go;
    hold = new Promise((done) => (let_go = done));
    await page.keyboard.press('a');
    await page.locator('#grid .chip').first().focus();
    await page.keyboard.press('Enter');
    await label('k');
    let_go();
    await page.waitForSelector('#chip-view .columns');
    hold = new Promise((done) => (let_go = done));
    await page.keyboard.press('ArrowRight');
    await label('k');
    let_go();
    await page.waitForFunction(() => !document.querySelector('#chip-view[aria-busy]'));
    await page.keyboard.press('ArrowRight');
    await page.waitForSelector('#chip-view > .error');
    await label('d');
    await page.waitForSelector('#toast.shown');
    await page.waitForTimeout(300);
    const seen = await page.evaluate(() => {
      const box = document.querySelector('#toast').getBoundingClientRect();
      document.querySelector('#toast').style.pointerEvents = 'auto';
      return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2).id;
    });
    const said = await text(page, '#toast');
    await page.keyboard.press('ArrowRight');
    await page.waitForSelector('#chip-view .columns');
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => document.activeElement.matches('#grid .chip'));
    return {ids, asked, seen, said, focused: await page.evaluate(() => Number(document.activeElement.dataset.id))};
  },

  /** The picture of a chip that cannot be read says why. */
  async noPicture(page, {chip}) {
    await ready(page);
    await page.route('**/chip.png?*', (route) => route.fulfill({status: 503, contentType: 'application/json', body: '{"error":"asset red: cannot open"}'}));
    await page.evaluate((hash) => (location.hash = hash), chip);
    await page.waitForSelector('#chip-view .failure p + p:not([hidden])');
    return text(page, '#chip-view .failure');
  },

  /** Links to other views, in the same page; Back and Escape from a chip. */
  async history(page) {
    await ready(page);
    await settled(page);
    const boxes = [];
    page.on('request', (r) => r.url().endsWith('/api/map') && boxes.push(JSON.parse(r.postData()).bbox));
    const state = () => page.evaluate(() => [document.querySelector('#chip-view').open, new URLSearchParams(location.hash.slice(1)).get('id'), new URLSearchParams(location.hash.slice(1)).get('x')]);
    await page.evaluate(() => (location.hash = '#m=15,-32.6,-62.9&q=chip_index_x<9'));
    await settled(page);
    const closer = boxes.at(-1);
    const open = async (i) => {
      await page.locator('#grid .chip .frame').nth(i).click();
      await page.waitForSelector('#chip-view .columns');
    };
    await open(0);
    await page.selectOption('#stretch', '0,100');
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction(() => !document.querySelector('#chip-view[aria-busy]'));
    const looking = await state();
    await page.goBack();
    await page.waitForFunction(() => !document.querySelector('#chip-view').open);
    await settled(page);
    const back = await state();
    await open(1);
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => !location.hash.includes('id='));
    await settled(page);
    const escaped = [...await state(), await page.inputValue('#where')];
    await page.goBack();
    await settled(page);
    return {closer, looking, back, escaped, first: [...await state(), await page.inputValue('#where')], farther: boxes.at(-1)};
  },

  /** Thumbnails so small that a page of them does not fill the part, after none at all. */
  async small(page) {
    await ready(page);
    await page.click('[data-part=chips-part]');
    await page.locator('#thumb-size').fill('72');
    await where(page, 'chip_index_x > 999');
    await where(page, '');
    await page.waitForFunction(() => document.querySelectorAll('#grid .chip').length > 60, null, {timeout: 10000}).catch(() => {});
    return count(page, '#grid .chip');
  },

  /** A page that is opened while the table is still being read, and SQL is running. */
  async early(page) {
    const url = page.url();
    await page.goto('about:blank');
    let abouts = 0, lists = 0, maps = [];
    await page.route('**/api/about', async (route) => {
      const answer = await (await route.fetch()).json();
      if (!abouts++) Object.assign(answer.tables[0], {loaded: 0.3, chips: 10, extent: [0, 0, 1, 1]});
      return route.fulfill({json: answer});
    });
    await page.route('**/api/list', async (route) => {
      const answer = await (await route.fetch()).json();
      return route.fulfill({json: lists++ ? answer : {chips: answer.chips.slice(0, 1), total: 1, partial: 0.2}});
    });
    page.on('request', (r) => r.url().endsWith('/api/map') && maps.push(JSON.parse(r.postData()).bbox));
    await page.goto(url);
    await ready(page);
    await page.waitForFunction(() => document.querySelectorAll('#grid .chip').length > 1, null, {timeout: 10000}).catch(() => {});
    await settled(page);
    return {total: await total(page), note: await text(page, '#grid-note'), thumbs: await count(page, '#grid .chip'), bbox: maps.at(-1)};
  },

  /** A box with more chips than can be selected at once. */
  async tooMany(page) {
    await ready(page);
    await settled(page);
    await page.route('**/api/select', (route) => route.fulfill({json: {ids: [1, 2], total: 5}}));
    await page.keyboard.press('b');
    await drag(page, [0.1, 0.2], [0.9, 0.9]);
    return {said: await text(page, '#toast'), selected: await selected(page)};
  },

  /** Of Chromium's accessibility tree: the controls and landmarks without a name, on the page and in each dialog. */
  async names(page, {chip}) {
    const roles = new Set(['button', 'textbox', 'searchbox', 'combobox', 'checkbox', 'slider', 'spinbutton', 'Date', 'listbox', 'option', 'dialog', 'link', 'image', 'img', 'DisclosureTriangle', 'application', 'toolbar', 'region', 'search', 'navigation', 'radio']);
    const cdp = await page.context().newCDPSession(page);
    const nameless = [], counts = [];
    const look = async (where) => {
      const {nodes} = await cdp.send('Accessibility.getFullAXTree');
      const those = nodes.filter((n) => !n.ignored && roles.has(n.role.value));
      counts.push(those.length);
      for (const n of those.filter((one) => !one.name?.value?.trim())) {
        const {node} = await cdp.send('DOM.describeNode', {backendNodeId: n.backendDOMNodeId});
        nameless.push(`${where}: ${n.role.value} ${node.localName} ${node.attributes?.join(' ')}`);
      }
    };
    await ready(page);
    await settled(page);
    await page.keyboard.press('a');
    await page.selectOption('#color', 'sql:');
    await look('page');
    await page.keyboard.press('Escape');
    await page.click('#help-button');
    await look('help');
    await page.keyboard.press('Escape');
    await page.evaluate((hash) => (location.hash = hash), chip);
    await page.waitForSelector('#chip-view .columns');
    await look('chip');
    await page.keyboard.press('l');
    await look('ask');
    return {nameless, counts};
  },

  /** [what, colour, ground, least contrast] as computed, each colour laid over what is below it. */
  async colors(page, {chip}) {
    await ready(page);
    await settled(page);
    await page.keyboard.press('a');
    await page.selectOption('#color', 'sql:');
    await page.evaluate((hash) => (location.hash = hash), chip);
    await page.waitForSelector('#chip-view .columns');
    return page.evaluate(() => {
      const channels = (text) => {
        const n = text.match(/[\d.]+/g).map(Number);
        return [n[0], n[1], n[2], n[3] ?? 1];
      };
      const over = (top, ground) => [0, 1, 2].map((i) => top[i] * top[3] + ground[i] * (1 - top[3]));
      const ground = (element) => {
        if (!element) return [255, 255, 255];
        const own = channels(getComputedStyle(element).backgroundColor);
        return own[3] === 1 ? own.slice(0, 3) : over(own, ground(element.parentElement));
      };
      const out = [];
      const put = (what, color, opacity, below, least) => out.push([what, over([...color.slice(0, 3), color[3] * opacity], below), below, least]);
      for (const e of document.querySelectorAll('body *')) {
        if (!e.getClientRects().length || e.closest('[aria-hidden=true], svg, :disabled, .leaflet-disabled, .frame')) continue;
        const style = getComputedStyle(e);
        const what = `${e.localName}#${e.id}.${e.className}`;
        if ([...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && style.color !== 'rgba(0, 0, 0, 0)') put(what, channels(style.color), 1, ground(e), 4.5);
        if (e.matches('select, textarea, input:not([type=range], [type=checkbox])')) put(`border of ${what}`, channels(style.borderTopColor), 1, ground(e.parentElement), 3);
        if (e.placeholder) put(`placeholder of ${what}`, channels(getComputedStyle(e, '::placeholder').color), Number(getComputedStyle(e, '::placeholder').opacity), ground(e), 4.5);
      }
      const check = document.querySelector('.chip[aria-selected=true] .check');
      put('the mark of a chip that is selected', channels(getComputedStyle(check).color), 1, ground(check), 4.5);
      const bar = document.querySelector('[data-name=cloud] svg rect');
      put('the edge of a bar', channels(getComputedStyle(bar).stroke === 'none' ? getComputedStyle(bar).fill : getComputedStyle(bar).stroke), 1, ground(bar.closest('section')), 3);
      return out;
    });
  },

  async look(page, {steps = [], file, quality}) {
    await ready(page);
    await settled(page);
    for (const [method, ...args] of steps) await (method === 'wait' ? page.waitForTimeout(...args) : method === 'key' ? page.keyboard.press(...args) : page[method](...args));
    await page.waitForFunction(() => !document.querySelector('#grid').offsetParent || document.querySelector('dialog[open]') || [...document.querySelectorAll('#grid .chip')].slice(0, 9).every((c) => c.querySelector('.loaded, .failed')), null, {timeout: 30000});
    await page.waitForTimeout(400);
    await page.screenshot({path: file, quality});
    return {};
  },
};

async function run(browser, {scenario, url, viewport, scheme, ...rest}) {
  const page = await browser.newPage({viewport: viewport || {width: 1280, height: 800}, colorScheme: scheme || 'light', acceptDownloads: true});
  const result = {error: null, value: null, requests: [], errors: [], dialogs: 0};
  page.on('request', (r) => result.requests.push(r.url().slice(0, 300)));
  page.on('console', (m) => m.type() === 'error' && result.errors.push(m.text()));
  page.on('pageerror', (e) => result.errors.push(String(e)));
  page.on('dialog', (d) => {
    result.dialogs++;
    d.dismiss();
  });
  try {
    // DNS that has been bound again: the name led to a stranger's page first, and to the server now.
    if (rest.first) await page.route(url, (route) => route.fulfill({contentType: 'text/html', body: '<!doctype html><body>hello'}));
    await page.goto(url);
    result.value = await SCENARIOS[scenario](page, rest);
  } catch (e) {
    result.error = String(e).slice(0, 2000);
  }
  await page.close();
  return result;
}

const browser = await chromium.launch({executablePath: config.chromium, args: ['--no-sandbox', '--disable-gpu', ...(config.arguments || [])]});
const results = {};
for (const {name, ...what} of config.runs) results[name] = await run(browser, what);
await browser.close();
console.log(JSON.stringify(results));
