/** The page of `increp serve` in a browser: every screen, in light and dark, narrow, by keyboard and without JavaScript. */
import { AxeBuilder } from '@axe-core/playwright';
import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
} from 'playwright-core';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createToken } from '../../src/serve/actions/tokens.ts';
import { chromiumHere } from '../support/chromium-here.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { controlPlace, QUICK, type ControlPlace } from '../support/service.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { slowTest } from '../support/tier.ts';

/** A name with which a page that does not escape would run a program. */
const HOSTILE = `<img src="/x" onerror='alert(1)'>&amp;`;
const TABLE = '/pipelines/shop/tables/orders';

const path = chromiumHere();

describe.skipIf(path === '' && !process.env['CI'])('in a browser', () => {
  let pair: Pair;
  let control: ControlPlace;
  let browser: Browser;
  let [url, token, run] = ['', '', ''];
  /** Of all tests. */
  const requests: string[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    const quoted = HOSTILE.replaceAll('"', '""');
    pair = await freshPair({
      tables: [],
      sourceSql: `${ORDERS_SQL}; INSERT INTO orders SELECT n FROM generate_series(1, 10) n;
        CREATE TABLE "${quoted}" (LIKE orders INCLUDING ALL); INSERT INTO "${quoted}" VALUES (1)`,
    });
    const plain = { ...ORDERS_CONFIG, initial_load: 'copy' as const };
    await pair.writeTables({
      schedule: { every: '1h' },
      defaults: { warn_staleness: '2h', max_staleness: '1d' },
      tables: [plain, { ...plain, name: HOSTILE }, { ...plain, name: 'missing' }],
    });
    control = await controlPlace();
    await control.add('shop', pair);
    const serve = control.start('serve --no-worker --listen 127.0.0.1:0');
    await serve.waitForLog('listening on');
    [, url = ''] = /listening on (http:[^"]+)/.exec(serve.log) ?? [];
    control.start('work --drain 0s');
    token = await tokenOf('admin');
    browser = await chromium.launch({ executablePath: path, args: ['--no-sandbox'] });
    await control.until(`SELECT FROM runs WHERE state = 'partial'`);
    [{ id: run } = { id: '' }] = await control.rows<{ id: string }>(
      `SELECT id FROM runs WHERE state = 'partial'`,
    );
  });

  afterAll(async () => {
    await browser.close();
    await control[Symbol.asyncDispose]();
    await pair[Symbol.asyncDispose]();
  });

  const tokenOf = async (role: 'admin' | 'read') => {
    const order = { name: role, role, pipelines: null, expiresInSeconds: undefined, by: 'test' };
    return (await createToken(control.pool, order)).text;
  };

  async function newContext(options: BrowserContextOptions = {}): Promise<BrowserContext> {
    const context = await browser.newContext({ baseURL: url, ...options });
    context.on('request', (request) => requests.push(request.url()));
    context.on('weberror', (error) => complaints.push(String(error.error())));
    context.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    context.on('dialog', (dialog) => complaints.push(dialog.message()));
    return context;
  }

  /** Past the login. */
  async function open(options?: BrowserContextOptions): Promise<Page> {
    const context = await newContext(options);
    const page = await context.newPage();
    await page.goto('/');
    await page.getByLabel('Token').fill(token);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('heading', { level: 1 }).waitFor();
    return page;
  }

  const focused = (page: Page) => page.locator(':focus');

  async function tabTo(
    page: Page,
    of: (focus: ReturnType<typeof focused>) => Promise<string | null>,
    wanted: string,
  ): Promise<void> {
    for (let step = 0; step < 12; step += 1) {
      await page.keyboard.press('Tab');
      if ((await of(focused(page)))?.replaceAll(/\s+/g, ' ') === wanted) return;
    }
    throw new Error(`"${wanted}" is not within twelve steps`);
  }

  const screens = () => ['/', '/pipelines/shop', TABLE, `/runs/${run}`];

  /** There are no frames, so the rules need no second page. */
  const axe = (page: Page) => new AxeBuilder({ page }).setLegacyMode(true);

  /** All rules in light. In dark, only colours differ. */
  async function expectAccessible(page: Page): Promise<void> {
    await page.emulateMedia({ colorScheme: 'light' });
    const light = await axe(page).analyze();
    await page.emulateMedia({ colorScheme: 'dark' });
    const dark = await axe(page).withRules(['color-contrast']).analyze();
    const found = [...light.violations, ...dark.violations];
    expect(found.map(({ id, nodes }) => [page.url(), id, nodes[0]?.html])).toEqual([]);
  }

  test('the definition of a pipeline is text, on an accessible screen', async () => {
    const definition = {
      ...{ source: 'shop', destinations: ['warehouse'] },
      config: { tables: [{ ...ORDERS_CONFIG, name: HOSTILE }] },
    };
    await control.pool.query(
      `INSERT INTO increp_serve.pipelines (name, queue, jobs, definition, definition_version)
       VALUES ('made', 'pipeline/made', 1, $1, 1)`,
      [definition],
    );
    const page = await open({ viewport: { width: 320, height: 640 } });
    await page.goto('/pipelines/made');
    await page.getByText('Show the configuration').click();
    expect(await page.locator('#definition ~ details pre').textContent()).toContain("onerror='alert(1)'");
    await expectAccessible(page);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(320);
    await page.getByRole('link', { name: 'Delete made' }).click();
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('status').getByText('The pipeline is deleted.').waitFor();
    await page.context().close();
    expect(
      await control.rows(`SELECT FROM pipelines WHERE name = 'made' AND removed_at IS NOT NULL`),
    ).toHaveLength(1);
  });

  test('every screen is accessible, in light and dark', async () => {
    const page = await open();
    for (const address of screens()) {
      await page.goto(address);
      await expectAccessible(page);
    }
    await page.context().clearCookies();
    await page.goto(TABLE);
    expect(page.url()).toContain('/login?next=');
    await expectAccessible(page);
    await page.context().close();
  });

  test('every screen fits on 320 pixels', async () => {
    const page = await open({ viewport: { width: 320, height: 640 } });
    for (const address of screens()) {
      await page.goto(address);
      const width = await page.evaluate<number>('document.documentElement.scrollWidth');
      expect([address, width]).toEqual([address, 320]);
    }
    await page.context().close();
  });

  test('trouble comes first, with what to do, and a hostile name stays text', async () => {
    const page = await open();
    expect(await page.title()).toBe('1 of 3 tables needs attention · increp');
    const row = page.getByRole('table', { name: 'need attention' }).getByRole('row').nth(1);
    expect(await row.innerText()).toContain('✗ failing');
    expect(await row.innerText()).toContain('TABLE_NOT_FOUND');
    await page.goto('/pipelines/shop');
    const link = page.getByRole('link', { name: HOSTILE, exact: true }).first();
    await link.click();
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe(HOSTILE);
    expect(await page.locator('img').count()).toBe(0);
    await page.getByText('Numbers: Rows of each sync').click();
    expect(await page.getByRole('table', { name: 'Rows of each sync' }).innerText()).toMatch(/\b1\b/);
    await page.context().close();
  });

  test('the screen reads itself again, unless it is paused or hidden, and keeps what is open', async () => {
    const context = await newContext();
    const page = await context.newPage();
    await page.clock.install();
    await page.goto('/login');
    await page.getByLabel('Token').fill(token);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.goto('/pipelines/shop');
    await page.getByText('settings that are set').click();
    const isRead = (wait: number) =>
      Promise.all([
        page
          .waitForResponse((response) => response.url().endsWith('/pipelines/shop'), { timeout: wait })
          .then(() => true)
          .catch(() => false),
        page.clock.runFor(2000),
      ]).then(([isSeen]) => isSeen);
    await control.rows(`UPDATE pipelines SET jobs = 7`);
    expect(await isRead(5000)).toBe(true);
    await page.getByText('Tables at the same time').locator('..').getByText('7').waitFor();
    expect(await page.getByRole('table', { name: 'Settings in effect' }).isVisible()).toBe(true);
    await page.getByRole('button', { name: 'Pause refresh' }).click();
    expect(await isRead(300)).toBe(false);
    expect(await page.getByText('Refresh is paused.').isVisible()).toBe(true);
    await page.getByRole('button', { name: 'Resume refresh' }).click();
    expect(await isRead(5000)).toBe(true);
    await page.evaluate(`Object.defineProperty(document, 'hidden', { get: () => true })`);
    // A reading may have begun before.
    await isRead(300);
    expect(await isRead(300)).toBe(false);
    await context.close();
  });

  test('by keyboard: past the header to the content, and an action with its question', async () => {
    const page = await open();
    await page.goto(TABLE);
    await page.keyboard.press('Tab');
    expect(await focused(page).innerText()).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    await tabTo(page, (focus) => focus.innerText(), 'Pause orders');
    await page.keyboard.press('Enter');
    await page.getByText('No worker begins with the table until the pause ends.').waitFor();
    await tabTo(page, (focus) => focus.getAttribute('name'), 'note');
    await page.keyboard.type('the disk <b>is</b> full');
    await page.keyboard.press('Enter');
    await page.getByText('Table orders is paused').waitFor();
    expect(await page.locator('.alarm').innerText()).toContain('by admin: the disk <b>is</b> full');
    expect(await control.rows(`SELECT table_name, made_by FROM pauses`)).toEqual([
      { table_name: 'orders', made_by: 'admin' },
    ]);
    await page.context().close();
  });

  test('without JavaScript: forms and links do everything', async () => {
    const page = await open({ javaScriptEnabled: false });
    await control.rows(`DELETE FROM pauses;
      INSERT INTO pauses (pipeline, table_name, reason, made_by) VALUES ('shop', 'orders', 'a test', 'me')`);
    await page.goto(TABLE);
    await page.getByRole('link', { name: 'Resume orders' }).click();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByText('It is resumed.').waitFor();
    await page.getByRole('link', { name: 'Sync now orders' }).click();
    await page.getByRole('button', { name: 'Sync now' }).click();
    expect(page.url()).toMatch(/\/runs\/[\w-]+\?done=sync$/);
    await control.until(`SELECT FROM runs WHERE requested_by = 'admin' AND state = 'ok'`);
    await page.reload();
    expect(await page.getByText('admin', { exact: true }).first().isVisible()).toBe(true);
    await page.goto('/pipelines/shop');
    await page.getByLabel('State').selectOption('failing');
    await page.getByRole('button', { name: 'Show' }).click();
    expect(await page.getByRole('table', { name: 'Tables of the pipeline' }).getByRole('row').count()).toBe(
      2,
    );
    expect(await page.getByRole('table', { name: 'Changes by people' }).innerText()).toContain('resume');
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    await page.context().close();
  });

  slowTest('an outage of the control database shows, and the page recovers by itself', async () => {
    const target = new URL(control.url);
    await using proxy = await faultProxy({ host: target.hostname, port: Number(target.port) });
    target.port = String(proxy.port);
    const serve = control.start('serve --no-worker --listen 127.0.0.1:0', {
      ...{ url: target.href, timing: { serve: { ...QUICK.serve, screen: 1, query: 2 } } },
    });
    await serve.waitForLog('listening on');
    const [, baseURL = ''] = /listening on (http:[^"]+)/.exec(serve.log) ?? [];
    // The browser complains of each answer 503.
    const context = await browser.newContext({ baseURL });
    const page = await context.newPage();
    await page.goto('/');
    await page.getByLabel('Token').fill(token);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('heading', { level: 1, name: 'attention' }).waitFor();
    proxy.stall();
    const notice = page.getByText('The service does not answer. These are old values.');
    await notice.waitFor();
    expect(await page.getByRole('heading', { level: 1, name: 'attention' }).count()).toBe(1);
    const late = await context.newPage();
    await late.goto('/');
    await late.getByRole('heading', { name: 'the control database does not answer' }).waitFor();
    await proxy.resume();
    await notice.waitFor({ state: 'hidden' });
    await late.getByRole('heading', { level: 1, name: 'attention' }).waitFor();
    await control.rows(`UPDATE sessions SET expires_at = now()`);
    await page.waitForURL('**/login?*');
    await context.close();
    await serve.stop();
  });

  test('a token that may only read sees no actions', async () => {
    const authorization = `Bearer ${await tokenOf('read')}`;
    const read = async (address: string) =>
      (await fetch(`${url}${address}`, { headers: { authorization } })).text();
    for (const address of screens()) expect(await read(address)).not.toContain('/do/');
    expect(await read('/pipelines/none')).toContain('there is no pipeline');
  });

  test('no request left the host, and the browser had nothing to complain about', () => {
    expect(requests.length).toBeGreaterThan(50);
    expect(requests.filter((each) => !each.startsWith(`${url}/`))).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
