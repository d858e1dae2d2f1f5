/** What stands beside the code about the configuration, and must not fall behind it. */
import { execFile } from 'node:child_process';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { VARIABLES } from '../../../src/config/environment/variables.ts';
import { CONNECTIONS, pipelineDirectory } from './pipeline-directory.ts';

const root = join(import.meta.dirname, '../../..');
const sample = (file: string) => readFile(join(root, file), 'utf8');

test('the generated documentation is up to date', async () => {
  const generator = join(root, 'scripts/generate-docs.ts');
  const run = promisify(execFile)(process.execPath, [generator, '--check']);
  await expect(run).resolves.toMatchObject({ stderr: '' });
  // It loads the whole program, which takes seconds beside other tests.
}, 30_000);

test('.env.sample has every variable, once, with its default', async () => {
  const lines = [...(await sample('.env.sample')).matchAll(/^#?([A-Z_]+)=(.*)$/gm)];
  const written = lines.map(([, name, value]) => ({ name, value }));
  expect(written).toHaveLength(VARIABLES.length);
  expect(written).toEqual(
    expect.arrayContaining(
      VARIABLES.map(({ name, default: value = expect.any(String) as string }) => ({ name, value })),
    ),
  );
});

test('.env.sample and tables-config.json can be used as they are', async () => {
  await using pipeline = await pipelineDirectory({ '.env': await sample('.env.sample') });
  await copyFile(join(root, 'tables-config.json'), join(pipeline.directory, 'tables-config.json'));
  const settings = await pipeline.load({});
  expect(settings.warnings).toEqual([]);
  expect(settings.tables.length).toBeGreaterThan(0);
});

test('with every line of .env.sample in use, only the two ways to name a database collide', async () => {
  const text = (await sample('.env.sample')).replaceAll(/^#(?=[A-Z_]+=)/gm, '');
  await using pipeline = await pipelineDirectory({ '.env': text });
  for (const file of ['source-ca.pem', 'destination-ca.pem', 'client.pem', 'client.key']) {
    await pipeline.write(`certs/${file}`, '');
  }
  const { message } = await pipeline.refusal({});
  expect(message).not.toContain('unknown');
  expect(message).toContain('SOURCE_URL (.env): set together with');
  expect(Object.keys(CONNECTIONS).filter((name) => message.includes(`${name}: not set`))).toEqual([]);
});
