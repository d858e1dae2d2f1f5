/** The unit files, judged by systemd itself. Left out where it is not installed; in the gate that would fail. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { variable } from '../../../src/config/variables.ts';
import { projectFile, withThisIncrep } from '../../support/deploy-files.ts';
import { testWithSystemd } from '../../support/systemd.ts';
import { CONNECTIONS, envFile, pipelineDirectory } from '../config/pipeline-directory.ts';

const UNITS = ['increp@.service', 'increp@.timer'];
/** Of 100; what is above the hardening that Node leaves room for. A plain service has 96. */
const EXPOSURE = '15';

const service = () => projectFile('deploy/systemd/increp@.service');

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
  expect(await analyze('verify', '--man=no', './increp@shop.service', './increp@shop.timer')).toBe('');
});

testWithSystemd('the service is as closed as Node allows', async () => {
  const report = await analyze('security', '--offline=yes', `--threshold=${EXPOSURE}`, './increp@.service');
  expect(report).toContain('OK');
});

test('the credentials of the service are variables of increp, and its state lies where it may write', async () => {
  const unit = await service();
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
  expect([source.password, destination.password]).toEqual([
    'SOURCE_PASSWORD of the unit',
    'DEST_PASSWORD of the unit',
  ]);
  expect(warnings).toEqual([]);
});
