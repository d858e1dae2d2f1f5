/** Prints the result, as text or as JSON, and the next command. */
import { homesOf } from '../../config/answers.ts';
import { addressWords } from '../../config/connection/servers.ts';
import { listed as named, listedNames } from '../../format.ts';
import { glyphsOf, painter, type Style } from '../../report/style.ts';
import { padEnd, printable, printableLine, wrapLines } from '../../report/text.ts';
import { shellWord } from '../../shell-word.ts';
import { isUniqueBy } from '../../schema/relations.ts';
import { FORMAT_VERSION } from '../../report/summary-json.ts';
import { isKeyed, type LeftOut } from '../../init/choose-tables.ts';
import { schemasOf } from '../../init/former-config.ts';
import { missesLowerKeys, seesOnlyInserts, versionCaution } from '../../init/key-cautions.ts';
import type { TableProposal } from '../../init/propose-options.ts';
import type { Setup } from './setup.ts';
import { directionWarnings, refusedBy } from './existing-tables.ts';
import type { PlannedFile } from './write.ts';

export interface InitReport {
  readonly setup: Setup;
  readonly files: readonly PlannedFile[];
  /** If root runs init in the directory of another user. */
  readonly owner: number | undefined;
  readonly warnings: readonly string[];
  /** What a dialogue has said already. */
  readonly notes: readonly string[];
  /** The next command, as the user can type it. */
  readonly next: string;
}

const DONE = { create: 'written', replace: 'replaced', extend: 'written', none: 'unchanged' } as const;

export function formatReport(
  { setup, files, owner, warnings, notes, next }: InitReport,
  style: Style,
): string {
  const paint = painter(style);
  const { ok } = glyphsOf(style);
  const width = Math.max(...files.map(({ name }) => name.length)) + 2;
  const action = Math.max(...files.map(({ change }) => DONE[change].length)) + 2;
  const lines = [
    paint('bold', `The pipeline is in ${printable(setup.answers.directory)}`),
    `  from  ${printableLine(addressWords(setup.source))}`,
    `  to    ${printableLine(addressWords(setup.destination))}`,
    ...files.map(({ name, change, remark }) =>
      `  ${paint('green', ok)}${padEnd(name, width)}${padEnd(DONE[change], action)}${change === 'none' ? '' : remark}`.trimEnd(),
    ),
    ...(owner === undefined
      ? []
      : [`  This is root: new files belong to the owner of the directory, user ${owner}.`]),
    ...reasonLines('Read completely at each sync (mode full-refresh):', wholeOf(setup)),
    ...(namesFlags(setup.leftOut) ? [] : againLines(wholeOf(setup))),
    ...reasonLines('Left out:', setup.leftOut),
    ...againLines(setup.leftOut),
    ...refusedLines(setup),
    ...warnings.map(
      (warning) => `${paint('yellow', 'warning:')} ${printable(warning).replaceAll('\n', '\n  ')}`,
    ),
    ...notes.map((note) => `${paint('dim', 'note:')} ${printable(note)}`),
  ];
  // wrapLines writes commands as the user can type them. The next command is already in that form.
  return `${wrapLines(lines.join('\n'), style)}\n\nNext: ${paint('bold', next)}\n`;
}

/** The tables for which no flag asked for it. */
const wholeOf = ({ chosen }: Setup): LeftOut[] =>
  chosen.flatMap((table) =>
    !isKeyed(table) && table.because ? [{ name: table.name, ...table.because }] : [],
  );

const MOST_LEFT_OUT = 30;

/** Flags that stand alone. The flags of a command for later are a part of the command. */
const namesFlags = (tables: readonly LeftOut[]): boolean =>
  tables.some(({ next }) => / --[a-z]/.test(next.replaceAll(/"increp [^"]*"/g, '')));

/** A second run with other flags would overwrite the file that this run has written. */
const againLines = (tables: readonly LeftOut[]): string[] =>
  namesFlags(tables)
    ? [
        '  To use these flags, repeat the command with them and --force. It then writes tables-config.json again.',
      ]
    : [];

/** Tables with the same reason are listed together. */
function reasonLines(head: string, tables: readonly LeftOut[]): string[] {
  if (tables.length === 0) return [];
  const alike = new Map<string, LeftOut[]>();
  for (const table of tables) {
    const reason = `${table.why}\0${table.next}`;
    alike.set(reason, [...(alike.get(reason) ?? []), table]);
  }
  return [
    head,
    ...[...alike.values()].flatMap((group) => [
      `  ${printableLine(
        listedNames(
          group.map(({ name }) => name),
          MOST_LEFT_OUT,
        ),
      )}: ${printable(group[0]?.why ?? '')}`,
      `    next: ${printable(group[0]?.next ?? '')}`,
    ]),
  ];
}

/** The warnings below say why. */
function refusedLines({ existing }: Setup): string[] {
  const refused = refusedBy(existing);
  return refused.length === 0
    ? []
    : [`A sync refuses, because of the destination: ${printableLine(listedNames(refused, MOST_LEFT_OUT))}`];
}

const reasonJson = ({ name, why, next }: LeftOut) => ({ name, message: why, hint: next });

export const reportJson = ({ setup, files, warnings, notes, next }: InitReport): object => ({
  type: 'init',
  format_version: FORMAT_VERSION,
  directory: setup.answers.directory,
  files: files.map(({ name, change }) => ({ name, change })),
  tables: setup.chosen.map((table) => ({
    name: table.name,
    replication_key: isKeyed(table) ? table.replicationKey : null,
    unique_cols: table.mergeKey,
    ...(!isKeyed(table) && { mode: 'full-refresh' }),
  })),
  read_whole: wholeOf(setup).map(reasonJson),
  left_out: setup.leftOut.map(reasonJson),
  refused: refusedBy(setup.existing),
  warnings,
  notes,
  next,
});

/** Warnings before the first sync. */
export function warningsOf(setup: Setup): string[] {
  const { answers, writable, source, destination, chosen, tables, isOneDatabase } = setup;
  const written = chosen.filter(({ name }) => writable.includes(name)).map(({ name }) => name);
  const keyed = (isMeant: (table: TableProposal, key: string, mergeKey: readonly string[]) => boolean) =>
    chosen
      .filter(isKeyed)
      .filter(({ name, replicationKey, mergeKey }) =>
        tables.some((table) => table.name === name && isMeant(table, replicationKey, mergeKey)),
      )
      .map(({ name, replicationKey }) => `${name} (${replicationKey})`);
  const lowerKeys = keyed(missesLowerKeys);
  const insertsOnly = keyed(seesOnlyInserts).filter((each) => !lowerKeys.includes(each));
  return [
    ...directionWarnings(setup).map(({ what, next }) => `${what}. ${next}`),
    ...(isOneDatabase
      ? [
          `source and destination are one database: rows go from schema "${source.schema}" to schema "${destination.schema}"`,
        ]
      : []),
    ...(written.length > 0
      ? [
          `role "${source.user}" may write to ${listed(written)} at the source; a role with only SELECT is safer`,
        ]
      : []),
    ...(lowerKeys.length > 0
      ? [
          `new rows with a lower replication key than earlier rows are not copied, and changed rows are not copied: ${listed(lowerKeys)}; "mode": "full-refresh" copies all rows`,
        ]
      : []),
    ...(insertsOnly.length > 0
      ? [`the replication key of ${listed(insertsOnly)} shows only inserts, so changed rows are not copied`]
      : []),
    ...[versionCaution(chosen, tables)].filter((caution) => caution !== undefined),
    ...unenforced(chosen, tables),
    ...overruled(answers),
  ];
}

/** A table in mode full-refresh is as the source at each sync. */
export const deletesNote = ({ chosen, change }: Pick<Setup, 'chosen' | 'change'>): string | undefined =>
  chosen.some(isKeyed) && (change?.former.defaults['deletes'] ?? 'ignore') === 'ignore'
    ? `Rows that are deleted at the source stay at the destination. To remove them, set "deletes": "hard" in "defaults" of tables-config.json. increp then finds these rows by a comparison every 24 hours ("deletes_every"). To compare at once, run "increp sync --deletes". See "increp help 'Deleted rows'".`
    : undefined;

/** How tables of another schema of the source join the pipeline. */
export function schemaNote({
  answers,
  change,
  schemas,
  source,
  destination,
  isOneDatabase,
}: Setup): string | undefined {
  const known = change && schemasOf(change.former, homesOf(answers).source.schema);
  const others = schemas.filter(
    (name) => name !== source.schema && !known?.has(name) && !(isOneDatabase && name === destination.schema),
  );
  const [first] = others;
  return first === undefined
    ? undefined
    : `The source also has tables in ${others.length === 1 ? 'schema' : 'the schemas'} ${listed(others)}. To copy such a table, add an entry with "schema": ${JSON.stringify(first)} to tables-config.json, or run "increp init --source-schema ${shellWord(first)}". See "increp help places".`;
}

function unenforced(chosen: Setup['chosen'], tables: Setup['tables']): string[] {
  const keys = chosen
    .filter(isKeyed)
    .filter(({ name, mergeKey }) =>
      tables.some((table) => table.name === name && !isUniqueBy(table.relation, mergeKey)),
    )
    .map(({ name, mergeKey }) => `${name} (${mergeKey.join(', ')})`);
  return keys.length === 0
    ? []
    : [
        `no constraint at the source keeps the unique key of ${listed(keys)} unique and NOT NULL; of rows with the same key, only the newest is kept`,
      ];
}

const MOST_NAMED = 5;
const listed = (names: readonly string[]): string => named(names, MOST_NAMED);

/** Variables of this shell whose values differ from the new `.env`. */
function overruled({ environment, values }: Setup['answers']): string[] {
  const names = [...values]
    .filter(([name, { text }]) => Boolean(environment[name]) && environment[name] !== text)
    .map(([name]) => name);
  return names.length === 0
    ? []
    : [`${names.join(', ')} in the environment of this shell differs from .env and overrides it; unset it`];
}
