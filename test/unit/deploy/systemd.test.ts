/** The unit files, judged by systemd itself. Left out where it is not installed; in the gate that would fail. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { SIGNAL_EXIT_CODES } from '../../../src/process.ts';
import { variable } from '../../../src/config/environment/variables.ts';
import { ERROR_CLASSES } from '../../../src/errors.ts';
import { projectFile, withThisIncrep } from '../../support/deploy-files.ts';
import { testWithSystemd } from '../../support/systemd.ts';
import { CONNECTIONS, envFile, pipelineDirectory } from '../config/pipeline-directory.ts';

const SERVICES = ['increp@.service', 'increp-watch@.service'];
const UNITS = [...SERVICES, 'increp@.timer'];
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

testWithSystemd('systemd finds nothing wrong with the units of a pipeline', async () => {
  const units = UNITS.map((unit) => `./${unit.replace('@', '@shop')}`);
  expect(await analyze('verify', '--man=no', ...units)).toBe('');
});

for (const name of SERVICES) {
  testWithSystemd(`${name} is as closed as Node allows`, async () => {
    const report = await analyze('security', '--offline=yes', `--threshold=${EXPOSURE}`, `./${name}`);
    expect(report).toContain('OK');
  });
}

test('both services are closed in the same way', async () => {
  const [once, loop] = (await Promise.all(SERVICES.map(unitText))).map((text) =>
    text.slice(text.indexOf('UMask='), text.indexOf('# MemoryDenyWriteExecute is not set')),
  );
  expect(loop).toBe(once);
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
