/** What can be known of the Dockerfile without an engine. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectFile } from '../../support/deploy-files.ts';
import { PROJECT } from '../../support/project.ts';

interface Instruction {
  readonly word: string;
  readonly rest: string;
}

async function instructions(): Promise<Instruction[]> {
  const text = (await projectFile('Dockerfile')).replaceAll(/^#.*\n/gm, '').replaceAll(/\\\n\s*/g, ' ');
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const { word, rest } = /^(?<word>[A-Z]+) (?<rest>.+)$/.exec(line)?.groups ?? {};
      if (word === undefined || rest === undefined) throw new Error(`not an instruction: ${line}`);
      return { word, rest };
    });
}

const all = async (word: string) =>
  (await instructions()).filter((one) => one.word === word).map(({ rest }) => rest);

/** The paths of the checkout that the image is made of. */
const copied = async () =>
  (await all('COPY'))
    .filter((rest) => !rest.startsWith('--from='))
    .flatMap((rest) => rest.split(' ').slice(0, -1));

test('only instructions that Docker knows', async () => {
  const known = new Set(['FROM', 'WORKDIR', 'COPY', 'RUN', 'USER', 'ENTRYPOINT', 'CMD']);
  expect((await instructions()).map(({ word }) => word).filter((word) => !known.has(word))).toEqual([]);
});

test('each stage begins with the Node that increp is tested with, pinned', async () => {
  const { devDependencies } = JSON.parse(await projectFile('package.json')) as {
    devDependencies: { node: string };
  };
  const bases = (await all('FROM')).map((rest) => rest.split(' ')[0]);
  expect(new Set(bases)).toEqual(new Set([`node:${devDependencies.node}-trixie-slim`]));
});

test('what is copied is there, and .dockerignore lets it and nothing else into the build', async () => {
  const paths = await copied();
  for (const path of paths) await expect(stat(join(PROJECT, path)), path).resolves.toBeDefined();
  const rules = (await projectFile('.dockerignore')).split('\n').filter((line) => /^[^#]/.test(line));
  expect(rules[0]).toBe('*');
  expect(new Set(rules.slice(1))).toEqual(new Set(paths.map((path) => `!${path}`)));
});

test('what the package holds is in the image, but for papers', async () => {
  const { files } = JSON.parse(await projectFile('package.json')) as { files: string[] };
  const copies = (await all('COPY')).join(' ');
  const isPaper = (file: string) => /\.(md|svg)$|^(man|deploy)$/.test(file);
  const isCopied = (file: string) => copies.includes(file.replace(/\/.*/, ''));
  expect(files.filter((file) => !isPaper(file) && !isCopied(file))).toEqual([]);
});

test('it ends as a user who is not root, and increp itself gets the signals', async () => {
  expect((await all('USER')).at(-1)).toMatch(/^[1-9]\d{3,}:[1-9]\d{3,}$/);
  expect(JSON.parse((await all('ENTRYPOINT'))[0] ?? '')).toEqual(['increp']);
  expect(JSON.parse((await all('CMD'))[0] ?? '')).toEqual(['sync']);
});
