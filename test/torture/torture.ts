/** `npm run torture`: the promise that no row is lost, kept or changed on the way, put to the test for minutes. */
import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { buildProject } from '../support/build.ts';
import { openPair } from '../support/open-pair.ts';
import { startServers } from '../support/servers.ts';
import { startFailingSource } from './failing-source.ts';
import { torture, type TortureOptions } from './harness.ts';
import { formatReport } from './report.ts';

const HELP = `node test/torture/torture.ts [--minutes 10] [--seed N] [--writers 16] [--no-deletes] [--no-failover] [--json] [--keep]
  --no-deletes   leaves rows that are deleted at the source in the copy
  --no-failover  keeps the source as it is; else its standby replaces it after half of the time
  --keep         leaves the destination running when it fails
`;

const { values } = parseArgs({
  allowNegative: true,
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(randomInt(1, 1_000_000)) },
    writers: { type: 'string', default: '16' },
    deletes: { type: 'boolean', default: true },
    failover: { type: 'boolean', default: true },
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(HELP);
else process.exitCode = await main();

async function main(): Promise<number> {
  const options: TortureOptions = {
    seed: Number(values.seed),
    seconds: Number(values.minutes) * 60,
    writers: Number(values.writers),
    deletes: values.deletes,
    preparedAtOnce: 15,
  };
  process.stderr.write(`seed ${options.seed}, ${options.writers} writers, ${options.seconds} s\n`);
  await buildProject();
  await using source = await startFailingSource();
  const servers = await startServers();
  const [other, destination] = servers;
  const workspace = await mkdtemp(join(tmpdir(), 'increp-torture-'));
  let isKept = false;
  try {
    const open = await openPair({}, place(source, destination));
    const spoke = await openPair({}, place(destination, other));
    const surroundings = {
      spoke: spoke.pair,
      ...(values.failover && { failOver: () => source.failOver() }),
    };
    const result = await torture(open.pair, surroundings, options);
    process.stdout.write(values.json ? `${JSON.stringify(result, null, 2)}\n` : formatReport(result));
    isKept = values.keep && result.failures.length > 0;
    if (isKept)
      process.stderr.write(
        `${open.pair.directory}\n${open.pair.sourceUrl()}\n${open.pair.destinationUrl()}\n`,
      );
    for (const each of [open, spoke]) await (isKept ? each.close() : each.cleanUp());
    return result.failures.length === 0 ? 0 : 1;
  } finally {
    await Promise.all(servers.map((server) => (isKept ? server.keep() : server.stop())));
    if (!isKept) await rm(workspace, { recursive: true, force: true });
  }

  function place(from: { readonly url: string }, to: { readonly url: string }) {
    return { sourceServerUrl: from.url, destinationServerUrl: to.url, workspace };
  }
}
