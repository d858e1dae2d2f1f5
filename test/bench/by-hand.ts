/** References that a person would write with the programs of Postgres. */
import { join } from 'node:path';
import process from 'node:process';
import { connectionTo, type Copy } from './copies.ts';
import { addKey, COLUMNS, createTable } from './data.ts';
import type { Command } from './measure.ts';
import { LARGE, type Stage } from './stage.ts';

const PSQL = 'psql --no-psqlrc --quiet --set ON_ERROR_STOP=1';

/** Texts reach the shell as variables, so that nothing in them is read by it. */
function shell(stage: Stage, script: string, variables: Readonly<Record<string, string>>): Command {
  return {
    file: 'bash',
    args: ['-e', '-o', 'pipefail', '-c', script],
    env: {
      PATH: process.env['PATH'],
      HOME: stage.workspace,
      PGPASSFILE: join(stage.workspace, 'passwords'),
      SOURCE: connectionTo(stage.source, stage.pair.login('source').database),
      ...variables,
    },
    directory: stage.workspace,
  };
}

/** A COPY from the source piped into one psql, which does everything else in one transaction around it. */
function pipe(stage: Stage, into: Copy, sql: { out: string; steps: readonly string[] }): Command {
  const steps = Object.fromEntries(sql.steps.map((text, index) => [`STEP_${index}`, text]));
  const flags = Object.keys(steps).map((name) => `--command "$${name}"`);
  return shell(
    stage,
    `${PSQL} --dbname "$SOURCE" --command "$OUT" | ${PSQL} --single-transaction --dbname "$COPY" ${flags.join(' ')}`,
    { OUT: sql.out, COPY: into.connection, ...steps },
  );
}

export const binaryLoad = (stage: Stage, into: Copy): Command =>
  pipe(stage, into, {
    out: `COPY (SELECT ${COLUMNS} FROM ${LARGE}) TO STDOUT (FORMAT binary)`,
    steps: [createTable(LARGE), `COPY ${LARGE} (${COLUMNS}) FROM STDIN (FORMAT binary)`, addKey(LARGE)],
  });

export const dumpAndRestore = (stage: Stage, into: Copy): Command =>
  shell(
    stage,
    `${PSQL} --dbname "$COPY" --command "$CREATE"
     pg_dump --format custom --compress 0 --table public.${LARGE} --dbname "$SOURCE" |
       pg_restore --data-only --exit-on-error --dbname "$COPY"
     ${PSQL} --dbname "$COPY" --command "$KEY"`,
    { COPY: into.connection, CREATE: createTable(LARGE), KEY: addKey(LARGE) },
  );

/** One worker, as it copies one table by default; the table is made before and its key after, as for the others. */
export const pgcopydb = (stage: Stage, into: Copy, filters: string): Command =>
  shell(
    stage,
    `rm -rf "$PWD/pgcopydb"
     ${PSQL} --dbname "$COPY" --command "$CREATE"
     pgcopydb copy table-data --source "$SOURCE" --target "$COPY" --dir "$PWD/pgcopydb" --table-jobs 1 --filters "$FILTERS"
     ${PSQL} --dbname "$COPY" --command "$KEY"`,
    { COPY: into.connection, FILTERS: filters, CREATE: createTable(LARGE), KEY: addKey(LARGE) },
  );

const FRESH = `${LARGE}_new`;
const assignments = COLUMNS.split(', ').map((name) => `${name} = excluded.${name}`);

/** How the changed rows come from the unlogged table into the copy; each leaves rows alone that are equal. */
export const MERGES = {
  'ON CONFLICT': [
    `INSERT INTO ${LARGE} SELECT * FROM ${FRESH} ON CONFLICT (id) DO UPDATE SET ${assignments.join(', ')}
     WHERE ${LARGE}.* *<> excluded.*`,
  ],
  MERGE: [
    `MERGE INTO ${LARGE} t USING ${FRESH} s ON t.id = s.id
     WHEN MATCHED AND t.* *<> s.* THEN UPDATE SET ${assignments.join(', ').replaceAll('excluded.', 's.')}
     WHEN NOT MATCHED THEN INSERT (${COLUMNS}) VALUES (${COLUMNS.split(', ')
       .map((name) => `s.${name}`)
       .join(', ')})`,
  ],
  'delete and insert': [
    `DELETE FROM ${FRESH} s USING ${LARGE} t WHERE t.id = s.id AND NOT t.* *<> s.*`,
    `DELETE FROM ${LARGE} t USING ${FRESH} s WHERE t.id = s.id`,
    `INSERT INTO ${LARGE} SELECT * FROM ${FRESH}`,
  ],
} as const;

export type MergeName = keyof typeof MERGES;

/** `cursor`: as Postgres prints it. */
export const binaryMerge = (stage: Stage, into: Copy, merge: MergeName, cursor: string): Command =>
  pipe(stage, into, {
    out: `COPY (SELECT ${COLUMNS} FROM ${LARGE} WHERE updated_at >= '${cursor}') TO STDOUT (FORMAT binary)`,
    steps: [
      `CREATE UNLOGGED TABLE ${FRESH} (LIKE ${LARGE})`,
      `COPY ${FRESH} (${COLUMNS}) FROM STDIN (FORMAT binary)`,
      `ANALYZE ${FRESH}`,
      ...MERGES[merge],
      `DROP TABLE ${FRESH}`,
    ],
  });
