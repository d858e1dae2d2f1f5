import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { Client, escapeIdentifier } from 'pg';
import type { TestProject } from 'vitest/node';
import { startGuard } from '../../src/demo/guard.ts';
import { buildProject } from './build.ts';
import { hasMan } from './man-here.ts';
import { hasOpenssl } from './openssl-here.ts';
import { hasPgDump } from './pg-dump-here.ts';
import { hasPromtool } from './promtool-here.ts';
import { hasShell, SHELLS } from './shells-here.ts';
import { startServers } from './servers.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Superuser URLs of the servers. */
    sourceServerUrl: string;
    destinationServerUrl: string;
    /** Where the pipeline directories of the tests are made. */
    workspace: string;
    /** Whether what a failed test leaves can still be looked at after the run. */
    doServersStay: boolean;
  }
}

/** One pair of servers for the whole run. INCREP_TEST_KEEP=1 leaves them running, with what failed tests left. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await buildProject();
  const started = Date.now();
  const servers = await startServers();
  const [source, destination] = servers;
  const workspace = join(tmpdir(), `increp-tests-${randomBytes(6).toString('hex')}`);
  // It has no server to end here; it makes the directory and removes it, also when the test run is killed.
  const guard = await startGuard(workspace, undefined);
  const isKept = Boolean(process.env['INCREP_TEST_KEEP']);
  const isGiven = Boolean(process.env['INCREP_TEST_SOURCE_URL'] && process.env['INCREP_TEST_DEST_URL']);
  project.provide('sourceServerUrl', source.url);
  project.provide('destinationServerUrl', destination.url);
  project.provide('workspace', workspace);
  project.provide('doServersStay', isKept || isGiven);
  sayWhatIsMissing();
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  process.stderr.write(
    `servers: source ${source.description}, destination ${destination.description} (${seconds} s)\n`,
  );
  return async () => {
    if (isKept || isGiven) await Promise.all(servers.map(({ url }) => dropSides(url, workspace.slice(-4))));
    await Promise.all(servers.map((server) => (isKept ? server.keep() : server.stop())));
    const isWorkspaceWanted = (isKept || isGiven) && (await readdir(workspace)).length > 0;
    await (isWorkspaceWanted ? guard.dismiss() : guard.release());
  };
}

/** The databases and roles that tests have used and left clean; those of a test that failed are marked. */
async function dropSides(serverUrl: string, prefix: string): Promise<void> {
  const admin = new Client({ connectionString: serverUrl });
  await admin.connect();
  try {
    const { rows } = await admin.query<{ name: string }>(
      `SELECT datname AS name FROM pg_database WHERE datname ~ $1 AND shobj_description(oid, 'pg_database') IS DISTINCT FROM 'kept'`,
      [`^(src|dst)_${prefix}`],
    );
    for (const { name } of rows) {
      const id = name.slice('src_'.length);
      await admin.query(`DROP DATABASE ${escapeIdentifier(name)} WITH (FORCE)`);
      await admin.query(`DROP ROLE IF EXISTS reader_${id}, writer_${id}`);
    }
  } finally {
    await admin.end();
  }
}

function sayWhatIsMissing(): void {
  const tools = {
    pg_dump: hasPgDump(),
    openssl: hasOpenssl(),
    promtool: hasPromtool(),
    man: hasMan(),
    ...Object.fromEntries(SHELLS.map((shell) => [shell, hasShell(shell)])),
  };
  for (const [name, isHere] of Object.entries(tools))
    if (!isHere) process.stderr.write(`${name} is not installed: its tests are left out (in CI they fail)\n`);
}
