import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { metricsTextfileFindings } from '../../../src/check/metrics-textfile-finding.ts';

async function folder() {
  const directory = await mkdtemp(join(tmpdir(), 'increp-textfile-'));
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}

const findings = (metricsTextfile: string | undefined) => metricsTextfileFindings({ metricsTextfile });

test('nothing is found where there is no metrics file, or one that can be written', async () => {
  await using place = await folder();
  expect(await findings(undefined)).toEqual([]);
  expect(await findings(join(place.directory, 'x.prom'))).toEqual([]);
});

test('a folder that is missing is named, with the command that makes it', async () => {
  await using place = await folder();
  const missing = join(place.directory, 'nowhere');
  expect(await findings(join(missing, 'x.prom'))).toMatchObject([
    {
      level: 'warning',
      code: 'METRICS_TEXTFILE',
      message: `the metrics file cannot be written: ${missing} is not a directory`,
      action: expect.stringContaining(`mkdir -p ${missing}`),
    },
  ]);
});

test('a folder in the place of the file is named', async () => {
  await using place = await folder();
  expect(await findings(place.directory)).toMatchObject([
    { message: expect.stringContaining('is a directory') },
  ]);
});

test('a folder of somebody else is named', async () => {
  await using place = await folder();
  await chmod(place.directory, 0o500);
  const found = await findings(join(place.directory, 'x.prom'));
  // For root every folder can be written.
  const isRoot = process.getuid?.() === 0;
  expect(found.map(({ message }) => message)).toEqual(
    isRoot
      ? []
      : [`the metrics file cannot be written: this user may not create files in ${place.directory}`],
  );
});
