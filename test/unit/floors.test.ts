/** The plan of the house, enforced: which file may import which, and who may touch the process. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const SRC = resolve(import.meta.dirname, '../../src');

const FLOORS: Readonly<Record<string, number>> = {
  'process.ts': 12,
  'cli.ts': 11,
  commands: 10,
  serve: 9,
  // What a run needs besides its stages, without a terminal.
  pipeline: 8,
  // The verbs: none knows another one.
  ...{ check: 7, demo: 7, init: 7, preview: 7, reset: 7, sequences: 7, status: 7, verify: 7 },
  sync: 6,
  ...{ postgres: 5, state: 5, notify: 5, observe: 5 },
  report: 4,
  config: 3,
  sql: 2,
  schema: 1,
};

/** The folders of sync/: the stages of one table's way, the last one first. */
const STAGES: Readonly<Record<string, number>> = {
  run: 7,
  ...{ load: 6, incremental: 6 },
  ...{ read: 5, reshape: 5, compare: 5, objects: 5 },
  ...{ fence: 4, write: 4 },
  ...{ plan: 3, lock: 3 },
  facts: 2,
  context: 1,
  'fan-out': 0,
};

interface SourceFile {
  /** Relative to src/. */
  readonly path: string;
  readonly text: string;
  /** Files of src/ that it imports, relative to src/. */
  readonly imports: readonly string[];
}

const files: readonly SourceFile[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => {
    const text = readFileSync(join(SRC, path), 'utf8');
    const found = [...text.matchAll(/(?:\bfrom|\bimport\(?)\s*'(\.[^']+)'/g)].map(([, target = '']) =>
      relative(SRC, resolve(SRC, dirname(path), target)),
    );
    return { path, text, imports: found };
  });

/** A folder of src/, or a file that lies directly in it. */
const roomOf = (path: string): string => path.split('/', 1)[0] ?? path;
const isGroundFloor = (room: string) => room.endsWith('.ts') && !Object.hasOwn(FLOORS, room);

function floorOf(path: string): number {
  const room = roomOf(path);
  const floor = isGroundFloor(room) ? 0 : FLOORS[room];
  if (floor === undefined) throw new Error(`src/${room} has no floor`);
  return floor;
}

const mayImport = (from: string, to: string): boolean =>
  roomOf(from) === roomOf(to) ||
  floorOf(to) < floorOf(from) ||
  (isGroundFloor(roomOf(from)) && isGroundFloor(roomOf(to)));

const stageOf = (path: string): string => path.split('/')[1] ?? '';

const mayImportStage = (from: string, to: string): boolean =>
  stageOf(from) === stageOf(to) || (STAGES[stageOf(to)] ?? 99) < (STAGES[stageOf(from)] ?? -1);

test('the folders of sync are stages, and each imports from those before it', () => {
  const own = files.filter(({ path }) => path.startsWith('sync/'));
  expect([...new Set(own.map(({ path }) => stageOf(path)))].toSorted()).toEqual(
    Object.keys(STAGES).toSorted(),
  );
  const wrong = own.flatMap(({ path, imports }) =>
    imports
      .filter((target) => target.startsWith('sync/') && !mayImportStage(path, target))
      .map((target) => `${path} -> ${target}`),
  );
  expect(wrong).toEqual([]);
});

test('every folder of src has a floor, and every floor has files', () => {
  const rooms = new Set(files.map(({ path }) => roomOf(path)).filter((room) => !isGroundFloor(room)));
  expect([...rooms].toSorted()).toEqual(Object.keys(FLOORS).toSorted());
});

test('a file imports from its own folder or from a lower floor', () => {
  const wrong = files.flatMap(({ path, imports }) =>
    imports.filter((target) => !mayImport(path, target)).map((target) => `${path} -> ${target}`),
  );
  expect(wrong).toEqual([]);
  expect(files.flatMap(({ imports }) => imports).length).toBeGreaterThan(100);
});

test('no files import each other in a circle', () => {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    if (trail.includes(path)) circles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
    if (done.has(path) || trail.includes(path)) return;
    byPath.get(path)?.imports.forEach((next) => visit(next, [...trail, path]));
    done.add(path);
  };
  for (const { path } of files) visit(path, []);
  expect(circles).toEqual([]);
});

const filesWith = (pattern: RegExp) => files.filter(({ text }) => pattern.test(text)).map(({ path }) => path);

test('one file touches the streams, environment, directory, signals and exit code of the process', () => {
  const own = /\bprocess\.(env|stdin|stdout|stderr|cwd|on|once|off|argv|exitCode)\b/;
  expect(filesWith(own)).toEqual(['process.ts']);
  expect(filesWith(/\bprocess\.exit\(/)).toEqual([]);
});

test('the packages of the web server load only for the service', () => {
  const packages = /\bfrom '(?:hono\b|@hono\/|rate-limiter-flexible'|standardwebhooks')/;
  expect(filesWith(packages).filter((path) => !path.startsWith('serve/'))).toEqual([]);
  // What a command imports without import() is in memory before it begins.
  const reached = new Set(['commands/sync.ts']);
  for (const path of reached) {
    const text = files.find((file) => file.path === path)?.text ?? '';
    for (const [, target = ''] of text.matchAll(/\bfrom '(\.[^']+)'/g))
      reached.add(relative(SRC, resolve(SRC, dirname(path), target)));
  }
  expect([...reached].filter((path) => path.startsWith('serve/'))).toEqual([]);
  expect(reached.size).toBeGreaterThan(100);
});

test('there is no default export, no barrel and no any', () => {
  expect(filesWith(/^export default/m)).toEqual([]);
  expect(filesWith(/^export \*/m)).toEqual([]);
  expect(filesWith(/:\s*any\b|<any>|\bas any\b/)).toEqual([]);
});

test('a type name is declared once', () => {
  const declared = files.flatMap(({ path, text }) =>
    [...text.matchAll(/^(?:export )?(?:interface|type|(?:abstract )?class) (\w+)/gm)].map(
      ([, name = '']) => ({
        name,
        path,
      }),
    ),
  );
  const repeated = [...Map.groupBy(declared, ({ name }) => name)].filter(([, places]) => places.length > 1);
  expect(repeated.map(([name, places]) => [name, ...places.map(({ path }) => path)].join(' '))).toEqual([]);
  expect(declared.length).toBeGreaterThan(100);
});
