/** The demo as a child process: what it says, what it exits with, and that nothing of it stays. */
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { expect, onTestFinished, test, vi } from 'vitest';
import { increp, startIncrep, type RunningIncrep } from '../support/increp.ts';

// It takes ten seconds on an idle machine, and the machine of a test run is not idle.
const TIMEOUT_MS = 110_000;
vi.setConfig({ testTimeout: TIMEOUT_MS + 10_000 });

/** A temporary directory of its own, in which everything of one demo is found. */
async function freshPlace() {
  const directory = await mkdtemp(join(tmpdir(), 'increp-test-of-demo-'));
  // Where we are root, the servers run as somebody else, who must be able to walk in and write.
  await chmod(directory, 0o1777);
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return { directory, env: { TMPDIR: directory } };
}

/** Nothing runs that has the directory in its command line, and it is empty. */
async function expectNothingLeft(directory: string) {
  expect((await commandLines()).filter((line) => line.includes(directory))).toEqual([]);
  expect(await readdir(directory)).toEqual([]);
}

async function commandLines(): Promise<string[]> {
  if (process.platform !== 'linux') return (await execa('ps', ['-axo', 'args'])).stdout.split('\n');
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  return Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
}

async function waitForStdout(running: RunningIncrep, text: string) {
  const deadline = Date.now() + 60_000;
  while (!running.stdout.includes(text)) {
    if (Date.now() > deadline)
      throw new Error(`it did not say "${text}": ${running.stdout}${running.stderr}`);
    await sleep(10);
  }
}

test('the demo tells its story, finds both sides equal, and leaves nothing', async () => {
  const { directory, env } = await freshPlace();
  const { exitCode, stdout, stderr } = await increp('demo', { directory }, { env, timeout: TIMEOUT_MS });
  expect(exitCode, stdout + stderr).toBe(0);
  expect(stderr).toBe('');
  expect(stdout).toMatch(/orders +initial +[\d.]+ s +[\d.]+ MB[ |\n]+60,000 read, 60,000 inserted/);
  expect(stdout).toMatch(
    /orders +incremental +[\d.]+ s +[\d.]+ kB[ |\n]+800 read, 500 inserted, 300 updated/,
  );
  expect(stdout).toMatch(/customers +reset/);
  expect(stdout).toContain('because column "newsletter" (boolean) was added at the source');
  expect(stdout).toMatch(
    /orders +incremental +[\d.]+ s +[\d.]+ kB[ |\n]+[\d,]+ read, 1 inserted, \d+ unchanged/,
  );
  expect(stdout).toContain('1 row inserted');
  expect(stdout).toContain('the late order is there');
  expect(stdout.match(/^ +\| = \w+ +equal/gm)).toHaveLength(5);
  expect(stdout.match(/^ +=.* equal +[\d,]+ rows.*SHA-256/gm)).toHaveLength(5);
  expect(stdout).toContain('Both databases are equal, byte for byte');
  // oxlint-disable-next-line no-control-regex -- that is what is looked for
  expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
  const isPath = (line: string) => line.includes(directory);
  expect(stdout.split('\n').filter((line) => line.length > 80 && !isPath(line))).toEqual([]);
  await expectNothingLeft(directory);
});

test('a copy that differs is named and fails the demo, without pg_dump too', async () => {
  const { directory, env } = await freshPlace();
  const nowhere = { ...env, PATH: directory, INCREP_DEMO_SABOTAGE: '1' };
  const { exitCode, stdout, stderr } = await increp(
    'demo',
    { directory },
    { env: nowhere, timeout: TIMEOUT_MS },
  );
  expect(exitCode, stdout + stderr).toBe(1);
  // Tables of this size need no pg_dump.
  expect(stdout + stderr).not.toContain('pg_dump');
  expect(stdout).toMatch(/\| ! orders +DIFFERENT/);
  expect(stdout).toMatch(/^ +! orders +DIFFERENT +source:/m);
  expect(stdout).toMatch(/^ += customers +equal/m);
  expect(stdout).toContain('The databases DIFFER');
  await expectNothingLeft(directory);
});

test.each([
  { moment: 'while the servers start', text: '1. Two real' },
  { moment: 'while the shop is filled', text: '2. The source' },
  { moment: 'during a sync', text: ' sync\n' },
])('Ctrl-C $moment leaves nothing', async ({ text }) => {
  const { directory, env } = await freshPlace();
  await using running = startIncrep('demo --keep', { directory }, { env, timeout: TIMEOUT_MS });
  await waitForStdout(running, text);
  await sleep(200);
  running.kill('SIGINT');
  const { exitCode, stderr } = await running.wait();
  expect(stderr).toContain('stopped by SIGINT');
  expect(exitCode).toBe(130);
  await expectNothingLeft(directory);
});

test('--keep leaves both servers, and a script that removes everything', async () => {
  const { directory, env } = await freshPlace();
  const { exitCode, stdout, stderr } = await increp(
    'demo --keep',
    { directory },
    { env, timeout: TIMEOUT_MS },
  );
  const remove = /sh (\S+remove\.sh)/.exec(stdout)?.[1] ?? '';
  onTestFinished(async () => void (await execa('sh', [remove], { reject: false })));
  expect(exitCode, stdout + stderr).toBe(0);
  const pipeline = /increp status -C (\S+)/.exec(stdout)?.[1] ?? '';
  const status = await increp(
    ['status', '-C', pipeline, '--exit-code'],
    { directory },
    { env, timeout: TIMEOUT_MS },
  );
  expect(status.exitCode, status.stdout + status.stderr).toBe(0);
  expect(stdout.match(/psql postgres:\/\/postgres:\S+@127\.0\.0\.1:\d+\/(shop|warehouse)/g)).toHaveLength(2);
  await execa('sh', [remove]);
  await expectNothingLeft(directory);
});

test('the demo of the service says where its page is, and leaves nothing after Ctrl-C', async () => {
  const { directory, env } = await freshPlace();
  await using demo = startIncrep('demo --serve', { directory }, { env, timeout: TIMEOUT_MS });
  await waitForStdout(demo, 'Press Ctrl-C');
  const [, url = ''] = /page +(http:\S+)/.exec(demo.stdout) ?? [];
  const [, token = ''] = /token +(\S+)/.exec(demo.stdout) ?? [];
  const page = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  expect(await page.text()).toContain('of 5 tables');
  demo.kill('SIGINT');
  expect((await demo.wait()).exitCode).toBe(0);
  await expectNothingLeft(directory);
});
