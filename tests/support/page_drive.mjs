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
