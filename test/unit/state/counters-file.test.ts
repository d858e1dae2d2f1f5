import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newTableCounters, type Counters } from '../../../src/schema/counters.ts';
import { updateCounters } from '../../../src/state/counters-file.ts';

const FILE = 'metrics.counters.json';

async function folder() {
  const directory = await mkdtemp(join(tmpdir(), 'increp-counters-'));
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}

/** A directory within `parent` whose path is so many bytes long. */
async function directoryOfLength(parent: string, length: number): Promise<string> {
  let path = parent;
  while (path.length < length) {
    const left = length - path.length - 1;
    // The last part must not be empty.
    path = join(path, 'd'.repeat(left > 201 ? 199 : left));
  }
  await mkdir(path, { recursive: true });
  return path;
}

const counted = (counters: Counters): Counters => {
  const [table = newTableCounters('orders')] = counters.tables;
  return { ...counters, tables: [{ ...table, rowsRead: table.rowsRead + 1 }] };
};

async function count(directory: string, pipeline = 'shop') {
  let seen: Counters | undefined;
  const trouble = await updateCounters({
    directory,
    pipeline,
    change: counted,
    use: async (counters) => void (seen = counters),
  });
  return { trouble, rows: seen?.tables[0]?.rowsRead ?? 0, isKnown: seen !== undefined };
}

test('many at once lose nothing, each sees its own number, and no lock stays', async () => {
  await using place = await folder();
  const results = await Promise.all(Array.from({ length: 30 }, () => count(place.directory)));
  expect(results.map(({ rows }) => rows).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 30 }, (_, index) => index + 1),
  );
  expect(await readdir(place.directory)).toEqual([FILE]);
});

test('a lock that a killed run has left is taken over', async () => {
  await using place = await folder();
  const lock = join(place.directory, `${FILE}.lock`);
  await writeFile(lock, '');
  await utimes(lock, 1, 1);
  expect(await count(place.directory)).toEqual({ trouble: undefined, rows: 1, isKnown: true });
});

test('the directory is made where it is missing', async () => {
  await using place = await folder();
  expect((await count(join(place.directory, 'sync-state'))).trouble).toBeUndefined();
});

test('what cannot be kept is not counted, so that no counter falls later', async () => {
  await using place = await folder();
  // The file and its lock have room in a path of 4,095 bytes, and the longer name of a temporary file has none.
  const directory = await directoryOfLength(place.directory, 4095 - `/${FILE}.lock`.length);
  await count(place.directory);
  await copyFile(join(place.directory, FILE), join(directory, FILE));
  const { rows, trouble } = await count(directory);
  expect(rows).toBe(1);
  expect(trouble).toBe('the name is too long');
});

test('where it cannot even be read nothing is said of what it holds', async () => {
  await using place = await folder();
  await mkdir(join(place.directory, FILE));
  expect(await count(place.directory)).toMatchObject({
    isKnown: false,
    trouble: expect.stringMatching(/it is a directory/),
  });
});

test('the counters of another pipeline, and what is no counters, begin anew', async () => {
  await using place = await folder();
  await count(place.directory);
  expect(await count(place.directory, 'other')).toMatchObject({ rows: 1, trouble: undefined });
  await writeFile(join(place.directory, FILE), '{"format":2}');
  expect(await count(place.directory)).toMatchObject({
    rows: 1,
    trouble: expect.stringMatching(/holds no valid counters; increp starts new ones/),
  });
  expect(JSON.parse(await readFile(join(place.directory, FILE), 'utf8'))).toMatchObject({ format: 1 });
});

test('what comes of using it is not swallowed, and the lock goes all the same', async () => {
  await using place = await folder();
  const use = () => Promise.reject(new Error('full'));
  const update = updateCounters({ directory: place.directory, pipeline: 'shop', change: counted, use });
  await expect(update).rejects.toThrow('full');
  expect((await count(place.directory)).rows).toBe(2);
});

test('the lock of a run that took over stays when the one before it ends at last', async () => {
  await using place = await folder();
  const lock = join(place.directory, `${FILE}.lock`);
  await updateCounters({
    directory: place.directory,
    pipeline: 'shop',
    change: counted,
    use: () => writeFile(lock, 'another run'),
  });
  expect(await readFile(lock, 'utf8')).toBe('another run');
  await utimes(lock, 1, 1);
  expect((await count(place.directory)).rows).toBe(2);
  expect(await readdir(place.directory)).toEqual([FILE]);
});
