/** Writes what the documentation takes from the code; with `--check` it only says whether that is up to date. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import {
  NEEDED_KEYS,
  pipelineSchema,
  tableSchema,
  tablesJsonSchema,
} from '../src/config/tables/tables-schema.ts';
import type { Variable } from '../src/config/environment/variables.ts';
import { SERVICE_VARIABLES, VARIABLES } from '../src/config/environment/variables.ts';
import { ERROR_CLASSES } from '../src/errors.ts';
import { errorPages, linkTo } from './error-pages/error-pages.ts';
import { fill, pretty } from './generated-parts.ts';
import { manPage } from './man-page.ts';

const root = join(import.meta.dirname, '..');

type Cells = readonly string[];

function markdownTable(head: Cells, rows: readonly Cells[]): string {
  const line = (cells: Cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [head, head.map(() => '---'), ...rows].map(line).join('\n');
}

const code = (text: string) => `\`${text}\``;

function defaultOf(variable: Variable): string {
  if (variable.isRequired) return variable.isSecret ? '**required**' : '**required**, or the URL';
  return variable.default === undefined ? (variable.defaultInWords ?? 'none') : code(variable.default);
}

function variablesTable(variables: readonly Variable[]): string {
  const rows = variables.map((variable) => [
    code(variable.name),
    variable.meaning,
    defaultOf(variable),
    variable.example === undefined ? '' : code(variable.example),
  ]);
  return markdownTable(['variable', 'meaning', 'default', 'example'], rows);
}

/** The JSON Schema of one option, as far as the table tells about it. */
interface Option {
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
}

function optionRow([key, option]: [string, Option], required: readonly string[]): Cells {
  const values = (option.enum ?? []).map(code).join(', ');
  const fallback = option.default === undefined ? 'none' : code(JSON.stringify(option.default));
  return [code(key), option.description ?? '', values, required.includes(key) ? '**required**' : fallback];
}

function optionsTable(): string {
  const { properties = {}, required: always = [] } = z.toJSONSchema(tableSchema, { io: 'input' });
  const required = [...always, ...NEEDED_KEYS.map(({ key }) => key)];
  const rows = Object.entries(properties as Record<string, Option>).map((entry) =>
    optionRow(entry, required),
  );
  return markdownTable(['key', 'meaning', 'values', 'default'], rows);
}

/** The keys beside those of the tables. */
function fileKeysTable(): string {
  const { properties = {} } = z.toJSONSchema(pipelineSchema, { io: 'input' });
  const rows = Object.entries(properties as Record<string, Option>).filter(
    ([, option]) => option.description,
  );
  return markdownTable(
    ['key', 'meaning', 'default'],
    rows.map(([key, { description = '', default: fallback }]) => [
      code(key),
      description,
      fallback === undefined ? 'none' : code(JSON.stringify(fallback)),
    ]),
  );
}

type Ending = readonly [exitCode: number, errorCode: string, meaning: string, retried: string];

/** The codes that stand for more than one error, or for none. */
const ENDINGS: readonly Ending[] = [
  [0, '', 'The command is done, or there was nothing to do.', ''],
  [1, '', 'Every table failed, for different reasons.', ''],
  [
    2,
    '',
    '`verify` found differences, or `sequences`, `plan --exit-code` or `status --exit-code` has something to report.',
    '',
  ],
  [3, '', 'Some tables are done, and some failed.', ''],
  [
    74,
    '',
    'The command is done, but its output could not be written, for example because the disk is full.',
    '',
  ],
  [129, linkTo('INTERRUPTED'), 'The run was stopped by SIGHUP, because the terminal was closed.', ''],
  [130, linkTo('INTERRUPTED'), 'The run was stopped by SIGINT (Ctrl-C).', ''],
  [143, linkTo('INTERRUPTED'), 'The run was stopped by SIGTERM.', ''],
];

function endings(): readonly Ending[] {
  const errors = Object.entries(ERROR_CLASSES)
    .filter(([name]) => name !== 'INTERRUPTED')
    .map(([name, { exitCode, meaning, isTransient }]): Ending => {
      return [exitCode, linkTo(name), meaning, isTransient ? 'yes' : ''];
    });
  return [...ENDINGS, ...errors].toSorted(([one], [other]) => one - other);
}

/** The cell may be a link. */
const codeIn = (cell: string): string => /[A-Z][A-Z_]+/.exec(cell)?.[0] ?? '';

const exitCodesTable = (): string =>
  markdownTable(
    ['exit code', 'error code', 'meaning', 'retried'],
    endings().map((row) => row.map(String)),
  );

const current = (file: string) => readFile(join(root, file), 'utf8').catch(() => '');

/** By file: from what it says now to what it should say. */
const GENERATED: Readonly<Record<string, (text: string) => string>> = {
  'tables-config.schema.json': () => JSON.stringify(tablesJsonSchema()),
  'docs/configuration.md': (text) =>
    fill(text, {
      'environment variables': variablesTable(VARIABLES),
      'table options': optionsTable(),
      'file keys': fileKeysTable(),
    }),
  'docs/service.md': (text) => fill(text, { 'service variables': variablesTable(SERVICE_VARIABLES) }),
  'docs/errors.md': (text) => fill(text, { 'error pages': errorPages() }),
  'docs/exit-codes.md': (text) => fill(text, { 'exit codes': exitCodesTable() }),
  'man/increp.1': () =>
    manPage(endings().map(([exitCode, cell, meaning]) => ({ exitCode, errorCode: codeIn(cell), meaning }))),
};

const isCheck = process.argv.includes('--check');
for (const [file, generate] of Object.entries(GENERATED)) {
  const before = await current(file);
  const text = generate(before);
  // Prettier knows nothing of manual pages.
  const after = file.endsWith('.1') ? text : await pretty(join(root, file), text);
  if (after === before) continue;
  if (!isCheck) await writeFile(join(root, file), after);
  else process.exitCode = 1;
  console.error(isCheck ? `${file} is stale; run: node scripts/generate-docs.ts` : `${file} written`);
}
