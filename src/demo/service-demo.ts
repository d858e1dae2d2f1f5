/** `demo --serve`: the service with two pipelines and a second worker, on two servers with a shop that changes. */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import type { Client } from 'pg';
import { sleep } from '../backoff.ts';
import type { Environment } from '../environment.ts';
import { IncrepError } from '../errors.ts';
import { formatSeconds } from '../format.ts';
import { withClient } from './connection.ts';
import { introduce } from './demo.ts';
import { childEnvironment, PROGRAM } from './program.ts';
import { SHOP_SQL, SHOP_TABLES, shopReaderSql, tradeSql } from './shop.ts';
import { createDatabases, READER, withStage, writePipeline, type Stage } from './stage.ts';
import type { Story } from './story.ts';

interface ServiceDemoRequest {
  readonly story: Story;
  readonly environment: Environment;
  readonly signal: AbortSignal;
  readonly makeToken: (place: { readonly directory: string; readonly controlUrl: string }) => Promise<string>;
}

/** Resolves after the signal, when everything is removed. */
export async function playServiceDemo({
  story,
  environment,
  signal,
  makeToken,
}: ServiceDemoRequest): Promise<void> {
  const startedAt = performance.now();
  story.title('increp demo: two pipelines in a service, with a page');
  story.heading('Two real Postgres servers start');
  let isUp = false;
  try {
    await withStage({ environment, signal }, async (stage) => {
      const controlUrl = await prepareService(stage);
      introduce(story, stage, formatSeconds((performance.now() - startedAt) / 1000));
      story.heading('The service and a second worker start');
      await withClient(stage.source, signal, async (shop) => {
        await shop.query(SHOP_SQL);
        await shop.query(shopReaderSql(READER));
        const port = await freePort();
        const url = `http://127.0.0.1:${port}`;
        await withProgram(stage, controlUrl, ['serve', '--listen', `127.0.0.1:${port}`], async () => {
          await untilReady(url, signal);
          // A worker needs the tables that the service creates.
          await withProgram(stage, controlUrl, ['work'], async () => {
            const token = await makeToken({ directory: stage.directory, controlUrl });
            isUp = true;
            sayWhere(story, url, token);
            await trade(shop, signal);
          });
        });
      });
    });
  } catch (error) {
    // Ctrl-C is how this demo ends.
    if (!signal.aborted || !isUp) throw error;
  }
  story.print('The demo has removed its servers and all their files.');
}

async function trade(shop: Client, signal: AbortSignal): Promise<void> {
  for (let tick = 1; !signal.aborted; tick += 1) {
    await shop.query(tradeSql(tick));
    await sleep(1, signal);
  }
}

function sayWhere(story: Story, url: string, token: string): void {
  story.table([
    ['page', url],
    ['token', token],
  ]);
  story.print(
    'Open the page and log in with the token. The shop changes every second, and both pipelines follow.',
  );
  story.print('Press Ctrl-C to stop everything and to remove it.');
}

const CONTROL = 'increp_control';

/** The pipelines, and the control database on the server of the destination. Returns its URL. */
async function prepareService(stage: Stage): Promise<string> {
  const connections = await createDatabases(stage);
  const password = randomBytes(12).toString('base64url');
  const { destination, directory, signal } = stage;
  await withClient({ ...destination, database: 'postgres' }, signal, async (client) => {
    await client.query(`CREATE ROLE ${CONTROL} LOGIN PASSWORD '${password}'`);
    await client.query(`CREATE DATABASE ${CONTROL} OWNER ${CONTROL}`);
  });
  for (const [name, schedule, tables] of PIPELINES) {
    const place = join(directory, name);
    await mkdir(place);
    const names: readonly string[] = tables;
    await writePipeline(place, [...connections, `PIPELINE_NAME=${name}`], {
      schedule: { every: schedule },
      defaults: { warn_staleness: '1m', max_staleness: '10m' },
      tables: SHOP_TABLES.filter((table) => names.includes(table.name)),
    });
  }
  return `postgres://${CONTROL}:${password}@${destination.host}:${destination.port}/${CONTROL}`;
}

const PIPELINES = [
  ['shop', '5s', ['customers', 'orders', 'order_items']],
  ['visits', '15s', ['events', 'LoyaltyCards']],
] as const;

/** Runs a program of a user. It ends when this process does, however it ends. */
async function withProgram(
  { directory, environment }: Stage,
  controlUrl: string,
  args: readonly string[],
  use: () => Promise<void>,
): Promise<void> {
  const common = ['--pipelines', directory, '--jobs', '2', '--drain', '0s', '--ends-with-stdin'];
  const child = execa(process.execPath, [PROGRAM, ...args, ...common], {
    cwd: directory,
    env: { ...childEnvironment(environment), SERVE_DATABASE_URL: controlUrl },
    extendEnv: false,
    ...{ stdin: 'pipe', stdout: 'ignore', stderr: 'ignore' },
    // In a group of its own, so that Ctrl-C does not reach it before this process ends it.
    ...{ reject: false, detached: true, cleanup: false },
  });
  try {
    await use();
  } finally {
    child.kill('SIGTERM');
    await child;
  }
}

const USUAL_PORT = 7420;

/** The usual port of the service, or another one if it is in use. */
async function freePort(): Promise<number> {
  return (await tryPort(USUAL_PORT)) ?? (await tryPort(0)) ?? USUAL_PORT;
}

const tryPort = (port: number): Promise<number | undefined> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => {
      const { port: used } = server.address() as AddressInfo;
      server.close(() => resolve(used));
    });
  });

const START_SECONDS = 60;

async function untilReady(url: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + START_SECONDS * 1000;
  for (;;) {
    const answer = await fetch(`${url}/readyz`, { signal }).catch(() => undefined);
    signal.throwIfAborted();
    if (answer?.ok) return;
    if (performance.now() > deadline)
      throw new IncrepError('INTERNAL', {
        what: `the service did not answer at ${url} within ${START_SECONDS} s`,
        next: 'Run again: "increp demo --serve". If it fails again, please report it.',
        exitCode: 1,
      });
    await sleep(0.2, signal);
  }
}
