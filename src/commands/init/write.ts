/** Writes the files of the pipeline, all or none. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { assignmentsOf, answerOf, homesOf, writableAssignments } from '../../config/answers.ts';
import { withoutVariables } from '../../config/environment/env-file.ts';
import { assignmentLines, type Assignment } from '../../config/environment/env-text.ts';
import { readText } from '../../config/files.ts';
import { loadSettings } from '../../config/load.ts';
import { VARIABLES, variable } from '../../config/environment/variables.ts';
import { IncrepError } from '../../errors.ts';
import { formatCount, listedNames } from '../../format.ts';
import { PACKAGE_ROOT } from '../../package-root.ts';
import { fileFault } from '../../system-fault.ts';
import { writeFiles, type NewFile } from '../../state/new-files.ts';
import { countTables } from '../../init/propose-options.ts';
import { changedConfigText } from '../../init/former-config.ts';
import { gitignoreText, isSample, SCHEMA_FILE, tablesConfigText } from '../../init/config-text.ts';
import { refusedBy } from './existing-tables.ts';
import type { Setup } from './setup.ts';

export interface PlannedFile extends Omit<NewFile, 'mayReplace'> {
  /** `replace` needs permission. */
  readonly change: 'create' | 'replace' | 'extend' | 'none';
  /** A description for the report. */
  readonly remark: string;
  /** How the dialogue asks for permission, if not in general words. */
  readonly question?: string;
}

type Draft = Omit<PlannedFile, 'change' | 'text'> & {
  /** The whole file, computed from its former text; undefined if it can stay unchanged. */
  readonly text: (former: string | undefined) => string | undefined;
  /** True if the change loses no text that anyone needs. */
  readonly isHarmless?: (former: string) => boolean;
};

/** The files of the directory, and how each would change. */
export async function planFiles(setup: Setup): Promise<PlannedFile[]> {
  const { answers, change } = setup;
  const { directory } = answers;
  const names = new Set(setup.chosen.map(({ name }) => name));
  const chosen = countTables(setup.tables.filter(({ name }) => names.has(name)));
  const keys = names.size === 1 ? 'its keys' : 'their keys';
  const leftOut = setup.leftOut.length === 0 ? '' : `; ${setup.leftOut.length} left out`;
  const refused = refusedBy(setup.existing);
  const ofThese = refused.length === 0 ? '' : `; a sync refuses ${formatCount(refused.length)} of them`;
  const drafts: readonly Draft[] = [
    {
      name: '.env',
      mode: 0o600,
      remark: 'both connections (mode 0600)',
      text: (former) => envText(setup, former),
    },
    {
      name: 'tables-config.json',
      mode: 0o644,
      ...(change
        ? {
            remark: changesIn(setup, change.removed),
            text: () =>
              changedConfigText(change.former, {
                source: setup.source.schema,
                destination: setup.destination.schema,
                homes: homesOf(answers),
                added: setup.chosen,
                removed: change.removed,
              }),
            isHarmless: () => change.removed.length === 0,
            question: `Remove the entries of ${listedNames(change.removed, LISTED)} from tables-config.json?`,
          }
        : {
            remark: `${chosen}${chosen.includes(' and ') ? ', with' : ' and'} ${keys}${ofThese}${leftOut}`,
            text: () => tablesConfigText(setup.chosen),
            isHarmless: isSample,
          }),
    },
    {
      name: SCHEMA_FILE,
      mode: 0o644,
      remark: 'lets editors validate and complete tables-config.json',
      text: await packagedSchema(),
    },
    {
      name: '.gitignore',
      mode: 0o644,
      remark: 'keeps .env and sync-state/ out of git',
      text: gitignoreText,
      isHarmless: () => true,
    },
  ];
  return Promise.all(drafts.map((draft) => planFile(directory, draft)));
}

const LISTED = 5;

function changesIn({ answers, source: { schema }, chosen }: Setup, removed: readonly string[]): string {
  const from = schema === homesOf(answers).source.schema ? '' : ` of schema ${schema}`;
  const change = (verb: string, names: readonly string[]) =>
    names.length > 0 ? [`${verb}: ${listedNames(names, LISTED)}${from}`] : [];
  const added = chosen.map(({ name }) => name);
  return [...change('added', added), ...change('removed', removed), 'other entries stay'].join('; ');
}

async function planFile(directory: string, { text, isHarmless, ...rest }: Draft): Promise<PlannedFile> {
  const former = await readText(join(directory, rest.name));
  if (former.text === undefined && !former.isMissing)
    throw unwritable(directory, `${rest.name} ${former.fault}`, undefined);
  const wanted = text(former.text);
  if (wanted === undefined || wanted === former.text) return { ...rest, text: '', change: 'none' };
  if (former.text === undefined) return { ...rest, text: wanted, change: 'create' };
  return { ...rest, text: wanted, change: isHarmless?.(former.text) ? 'extend' : 'replace' };
}

/** The schema is in the package. The directory gets a copy, so that every editor finds it. */
async function packagedSchema(): Promise<() => string> {
  const text = await readFile(join(PACKAGE_ROOT, SCHEMA_FILE), 'utf8');
  return () => text;
}

const HEAD = `# Written by "increp init". Only you may read it (chmod 600), because it can contain passwords.
# Every variable, and the other ways to set one: increp help configuration
`;

/** Keeps the other lines of an existing file. A file that already has all settings stays unchanged. */
function envText(setup: Setup, former: string | undefined): string | undefined {
  const assignments = wantedAssignments(setup);
  if (former !== undefined && saysAll(former, assignments)) return undefined;
  const lines = assignmentLines(assignments);
  if (lines === undefined) throw new Error('a URL has no quotes that could be in the way');
  const ours = VARIABLES.map(({ name }) => name).filter((name) =>
    /^(SOURCE|DEST)_|^PIPELINE_NAME$/.test(name),
  );
  const rest = withoutVariables(
    former ?? '',
    ours.flatMap((name) => [name, `${name}_FILE`]),
  ).trim();
  return `${HEAD}${lines}${rest === '' ? '' : `\n${rest}\n`}`;
}

function wantedAssignments({ answers, source, destination }: Setup): Assignment[] {
  const pipeline = answerOf(answers, 'PIPELINE_NAME');
  return [
    ...writableAssignments(assignmentsOf(answers, 'SOURCE'), source, 'SOURCE'),
    ...writableAssignments(assignmentsOf(answers, 'DEST'), destination, 'DEST'),
    ...(pipeline === undefined ? [] : [['PIPELINE_NAME', pipeline] as const]),
  ];
}

function saysAll(former: string, assignments: readonly Assignment[]): boolean {
  const written = parse(former);
  const source = written['SOURCE_SCHEMA'] ?? variable('SOURCE_SCHEMA')?.default;
  const said: typeof written = { SOURCE_SCHEMA: source ?? '', DEST_SCHEMA: source ?? '', ...written };
  const ours = Object.keys(written).filter((name) => /^(SOURCE|DEST)_/.test(name) && written[name] !== '');
  return (
    assignments.every(([name, value]) => said[name] === value) &&
    ours.every((name) => assignments.some(([wanted]) => wanted === name))
  );
}

/** Writes all files or none, and only if increp can load them. @throws IncrepError */
export async function writePlanned(setup: Setup, files: readonly PlannedFile[]): Promise<void> {
  const { directory, environment } = setup.answers;
  const wanted = files
    .filter(({ change }) => change !== 'none')
    .map(({ change, question: _question, ...file }): NewFile => ({
      ...file,
      mayReplace: change !== 'create',
    }));
  // The files must work without the current environment, because a later shell may not have it.
  const credentials = { CREDENTIALS_DIRECTORY: environment['CREDENTIALS_DIRECTORY'] };
  const verify = async () => void (await loadSettings({ directory, environment: credentials }));
  try {
    await writeFiles(directory, wanted, verify);
  } catch (error) {
    if (error instanceof IncrepError) throw error;
    throw unwritable(directory, fileFault(error), error);
  }
}

const unwritable = (directory: string, what: string, cause: unknown): IncrepError =>
  new IncrepError('CONFIG_INVALID', {
    what: `the files of the pipeline cannot be written in ${directory}: ${what}`,
    next: 'Nothing was changed. Name another directory with -C, or make this directory writable.',
    cause,
  });
