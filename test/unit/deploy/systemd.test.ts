/** The unit files, judged by systemd itself. Left out where it is not installed; in the gate that would fail. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { SIGNAL_EXIT_CODES } from '../../../src/signals.ts';
import { readServiceSettings } from '../../../src/config/service/control-database.ts';
import { environmentOf } from '../../../src/config/service/pipeline-environment.ts';
import { variable } from '../../../src/config/environment/variables.ts';
import { ERROR_CLASSES } from '../../../src/errors.ts';
import { DEFAULT_TIMING } from '../../../src/timing.ts';
import { projectFile, withThisIncrep } from '../../support/deploy-files.ts';
import { testWithSystemd } from '../../support/systemd.ts';
import { CONNECTIONS, envFile, pipelineDirectory } from '../config/pipeline-directory.ts';

const SERVICES = ['increp@.service', 'increp-watch@.service'];
/** Of the service for many pipelines. */
const PROGRAMS = ['increp-serve.service', 'increp-work.service'];
const UNITS = [...SERVICES, ...PROGRAMS, 'increp@.timer'];
/** Of 100; what is above the hardening that Node leaves room for. A plain service has 96. */
const EXPOSURE = '15';

const unitText = (name: string) => projectFile(`deploy/systemd/${name}`);

/** The values of one setting, in the order of the file. */
const valuesOf = (unit: string, name: string) =>
  [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) => value);

async function analyze(...args: string[]): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'increp-units-'));
  try {
    for (const unit of UNITS) {
      await writeFile(join(directory, unit), withThisIncrep(await projectFile(`deploy/systemd/${unit}`)));
    }
    const run = promisify(execFile)('systemd-analyze', args, { cwd: directory });
    const { stdout, stderr } = await run;
    return stdout + stderr;
  } finally {
    await rm(directory, { recursive: true });
  }
}

testWithSystemd('systemd finds nothing wrong with the units', async () => {
  const units = UNITS.map((unit) => `./${unit.replace('@', '@shop')}`);
  expect(await analyze('verify', '--man=no', ...units)).toBe('');
});

for (const name of [...SERVICES, ...PROGRAMS]) {
  testWithSystemd(`${name} is as closed as Node allows`, async () => {
    const report = await analyze('security', '--offline=yes', `--threshold=${EXPOSURE}`, `./${name}`);
    expect(report).toContain('OK');
  });
}

test('all services are closed in the same way', async () => {
  const [once, ...others] = (await Promise.all([...SERVICES, ...PROGRAMS].map(unitText))).map((text) =>
    text.slice(text.indexOf('UMask='), text.indexOf('# MemoryDenyWriteExecute is not set')),
  );
  for (const other of others) expect(other).toBe(once);
});

test.each(PROGRAMS)('%s stops after its syncs, and writes only to its pipelines', async (name) => {
  const unit = await unitText(name);
  expect(Number(valuesOf(unit, 'TimeoutStopSec')[0])).toBeGreaterThan(DEFAULT_TIMING.serve.drain);
  const [, directory] = /--pipelines (\S+)/.exec(valuesOf(unit, 'ExecStart')[0] ?? '') ?? [];
  expect(valuesOf(unit, 'ReadWritePaths')).toEqual([directory]);
});

test.each(PROGRAMS)('the credentials of %s reach the control database and the pipelines', async (name) => {
  const credentials = valuesOf(await unitText(name), 'LoadCredential').map(
    (value) => value.split(':')[0] ?? '',
  );
  expect(credentials).toEqual(['SERVE_DATABASE_URL', 'SHOP_SOURCE_PASSWORD', 'SHOP_DEST_PASSWORD']);
  const textOf = (credential: string) =>
    credential === 'SERVE_DATABASE_URL' ? 'postgresql://increp:x@db.example.com/control' : credential;
  await using pipeline = await pipelineDirectory({
    '.env': envFile(CONNECTIONS),
    ...Object.fromEntries(credentials.map((each) => [`credentials/${each}`, `${textOf(each)}\n`])),
  });
  const environment = { CREDENTIALS_DIRECTORY: join(pipeline.directory, 'credentials') };
  const { control } = await readServiceSettings(pipeline.directory, environment);
  expect(control.host).toBe('db.example.com');
  const { source, destination, warnings } = await pipeline.load(environmentOf('shop', environment));
  expect([source.credential.known, destination.credential.known]).toEqual(credentials.slice(1));
  expect(warnings).toEqual([]);
});

test('a worker starts again until "increp serve" has made its tables, and "serve" does not repeat a mistake', async () => {
  const preventing = async (name: string) =>
    valuesOf(await unitText(name), 'RestartPreventExitStatus')[0]
      ?.split(' ')
      .map(Number);
  const { USAGE, CONFIG_INVALID } = ERROR_CLASSES;
  expect(await preventing('increp-serve.service')).toEqual([USAGE.exitCode, CONFIG_INVALID.exitCode]);
  expect(await preventing('increp-work.service')).toEqual([USAGE.exitCode]);
});

test('a loop that systemctl stopped has not failed, and a loop with a wrong configuration is not restarted', async () => {
  const unit = await unitText('increp-watch@.service');
  const numbersOf = (name: string) => valuesOf(unit, name)[0]?.split(' ').map(Number);
  expect(numbersOf('SuccessExitStatus')).toEqual([SIGNAL_EXIT_CODES.SIGTERM]);
  expect(numbersOf('RestartPreventExitStatus')).toEqual([
    ERROR_CLASSES.USAGE.exitCode,
    ERROR_CLASSES.CONFIG_INVALID.exitCode,
  ]);
});

test.each(SERVICES)(
  'the credentials of %s are variables of increp, and its state lies where it may write',
  async (serviceName) => {
    const unit = await unitText(serviceName);
    const credentials = valuesOf(unit, 'LoadCredential').map((value) => value.split(':')[0] ?? '');
    expect(credentials).toEqual(['SOURCE_PASSWORD', 'DEST_PASSWORD']);
    expect(credentials.filter((name) => !variable(name))).toEqual([]);
    expect(valuesOf(unit, 'Environment')).toEqual([
      `STATE_DIR=/var/lib/${valuesOf(unit, 'StateDirectory')[0]}`,
    ]);

    const files = Object.fromEntries(
      credentials.map((name) => [`credentials/${name}`, `${name} of the unit\n`]),
    );
    await using pipeline = await pipelineDirectory({ '.env': envFile(CONNECTIONS), ...files });
    const { source, destination, warnings } = await pipeline.load({
      CREDENTIALS_DIRECTORY: join(pipeline.directory, 'credentials'),
      STATE_DIR: '/var/lib/increp/shop',
    });
    expect([source.credential.known, destination.credential.known]).toEqual([
      'SOURCE_PASSWORD of the unit',
      'DEST_PASSWORD of the unit',
    ]);
    expect(warnings).toEqual([]);
  },
);
