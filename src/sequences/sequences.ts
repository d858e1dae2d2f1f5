/** `increp sequences`: the destination gives out numbers from where the source stopped. */
import type pg from 'pg';
import * as z from 'zod';
import type { TableSettings } from '../config/settings.ts';
import { asIncrepError, IncrepError } from '../errors.ts';
import type { Database } from '../postgres/database.ts';
import { ask, queryUsually } from '../postgres/user-search-path.ts';
import { derivedName, distinctTables, printName, tableKey, type TableName } from '../schema/names.ts';
import { destinationColumn, expressionOf, isCopied } from '../schema/selection.ts';
import { valueBeyond } from '../schema/sequence-value.ts';
import { ident, qualified } from '../sql/identifiers.ts';
import { onTables } from '../sql/search-path.ts';
import {
  addIdentity,
  commentOnSequence,
  createSequence,
  drawFrom,
  extremesOf,
  ownSequence,
  RELATION_CALLED,
  setSequence,
} from '../sql/sequences.ts';
import type { RunContext } from '../sync/context/run-context.ts';
import { tableNames } from '../sync/facts/table-names.ts';
import { copyMark, readMark } from '../sync/objects/mark.ts';
import { findForeignTables } from './foreign-tables.ts';
import { drawsPlainly, readDrawnSequences, type DrawnSequence } from './drawn-sequences.ts';

/** One column of a destination table. */
export interface SequenceResult {
  readonly table: string;
  readonly column: string;
  /** At the destination; as it would be called, if it is missing. */
  readonly sequence: TableName;
  readonly isCreated: boolean;
  /** `missing`: the settings do not ask for it. `unchanged`: it is far enough. */
  readonly kind: 'set' | 'unchanged' | 'missing' | 'failed';
  readonly from: string | null;
  readonly to: string | null;
  /** False if only the rows show how far the source has come. Rows that were deleted there had later values. */
  readonly isSourceRead: boolean;
  readonly error: IncrepError | undefined;
}

interface SequenceRequest {
  /** Says what would be done, and does nothing. */
  readonly isDryRun: boolean;
}

type SequenceContext = Pick<RunContext, 'settings' | 'source' | 'destination' | 'stateFiles'>;

export async function setSequences(
  context: SequenceContext,
  tables: readonly TableSettings[],
  { isDryRun }: SequenceRequest,
): Promise<readonly SequenceResult[]> {
  const enabled = tables.filter(({ isEnabled, selection }) => isEnabled && selection.query === null);
  const nameOf = (settings: TableSettings) => tableNames(context, settings).destinationName;
  const foreign = await findForeignTables(context, enabled);
  const [here, there] = await Promise.all([
    readDrawnSequences(context.source, distinctTables(enabled.map(({ source }) => source))),
    readDrawnSequences(context.destination, enabled.map(nameOf)),
  ]);
  const drawn = enabled.flatMap((settings) => {
    const destinationName = nameOf(settings);
    return columnsOf(settings, destinationName, {
      here: here.get(tableKey(settings.source)) ?? [],
      there: there.get(tableKey(destinationName)) ?? [],
    });
  });
  const [refused] = foreign.values();
  if (drawn.length === 0 && refused) throw refused;
  const results: SequenceResult[] = [];
  for (const column of drawn) {
    const refusal = foreign.get(column.settings.name);
    results.push(
      refusal
        ? { ...headOf(column), isCreated: false, kind: 'failed', to: null, error: refusal }
        : await settle(context, column, drawn, isDryRun),
    );
  }
  return results;
}

/** A column of a destination table that gives out numbers, or whose source does. */
interface DrawnColumn {
  readonly settings: TableSettings;
  readonly destinationName: TableName;
  readonly column: string;
  readonly here: DrawnSequence | undefined;
  readonly there: DrawnSequence | undefined;
  readonly sequence: TableName;
}

function columnsOf(
  settings: TableSettings,
  destinationName: TableName,
  { here, there }: Readonly<Record<'here' | 'there', readonly DrawnSequence[]>>,
): DrawnColumn[] {
  const { selection } = settings;
  const usable = here.filter(
    (each) =>
      drawsPlainly(each) &&
      isCopied(selection, each.column) &&
      expressionOf(selection, each.column) === undefined,
  );
  const names = [
    ...new Set([
      ...usable.map(({ column }) => destinationColumn(selection, column)),
      ...there.map(({ column }) => column),
    ]),
  ];
  return names.map((column) => {
    const own = usable.find((each) => destinationColumn(selection, each.column) === column);
    const found = there.find((each) => each.column === column);
    const sequence = found?.name ?? {
      schema: destinationName.schema,
      table: own?.name.table ?? derivedName(destinationName.table, `_${column}_seq`),
    };
    return { settings, destinationName, column, here: own, there: found, sequence };
  });
}

const headOf = ({ settings, column, sequence, here, there }: DrawnColumn) => ({
  ...{ table: settings.name, column, sequence, from: there?.last ?? null },
  isSourceRead: here?.canRead !== false,
});

/** Several columns may draw from one sequence, so the rows of all of them count. */
async function settle(
  context: SequenceContext,
  drawn: DrawnColumn,
  all: readonly DrawnColumn[],
  isDryRun: boolean,
): Promise<SequenceResult> {
  const { settings, here, there, sequence } = drawn;
  const head = headOf(drawn);
  const shape = there ?? here;
  if (!shape) throw new Error('a column without a sequence');
  if (!there && settings.constraints !== 'copy')
    return { ...head, isCreated: false, kind: 'missing', to: null, error: undefined };
  try {
    const sharing = all.filter((each) => tableKey(each.sequence) === tableKey(sequence));
    const used = await usedValues(context.destination, sharing, shape);
    const current = there?.last ?? null;
    const next = valueBeyond(shape, current, used);
    if (next && !next.isInRange) throw beyondRange(sequence, next.value);
    const to = next?.value ?? null;
    if (!isDryRun && (!there || to !== null))
      await context.destination.withWriting([], async (client) => {
        if (!there && here) await create(client, context.settings.pipeline, drawn, here);
        if (to !== null) await client.query(setSequence(sequence, to));
      });
    return {
      ...head,
      isCreated: !there,
      kind: to === null && there ? 'unchanged' : 'set',
      to,
      error: undefined,
    };
  } catch (thrown) {
    const error = namingGrant(asIncrepError(thrown), sequence, shape.role);
    if (error.code === 'INTERNAL') throw thrown;
    return { ...head, isCreated: false, kind: 'failed', to: null, error };
  }
}

const extremesRow = z.object({ min: z.string().nullable(), max: z.string().nullable() });

/** The values of rows, and the last value at the source. After a cycle, rows say nothing. */
async function usedValues(
  destination: Database,
  sharing: readonly DrawnColumn[],
  { increment, isCycling }: DrawnSequence,
): Promise<readonly string[]> {
  const lasts = sharing.flatMap(({ here }) => here?.last ?? []);
  if (isCycling && lasts.length > 0) return lasts;
  const isDown = increment.startsWith('-');
  return destination.withReading(async (client) => {
    const values = [...lasts];
    for (const { destinationName, column } of sharing) {
      const { rows } = await ask(client, onTables(extremesOf(destinationName, column)));
      const { min, max } = extremesRow.parse(rows[0]);
      const value = isDown ? min : max;
      // Not a whole number: the values do not come from the sequence.
      if (value !== null && /^-?\d+$/.test(value)) values.push(value);
    }
    return values;
  });
}

const relationRow = z.object({ kind: z.string(), comment: z.string().nullable() });

async function create(
  client: pg.ClientBase,
  pipeline: string,
  { destinationName, column, sequence }: DrawnColumn,
  here: DrawnSequence,
): Promise<void> {
  if (here.identity !== '') {
    const { identity } = here;
    await queryUsually(client, addIdentity(destinationName, column, { ...here, name: sequence, identity }));
    return;
  }
  const { rows } = await client.query(RELATION_CALLED, [sequence.schema, sequence.table]);
  const taken = relationRow.optional().parse(rows[0]);
  // Another table of the pipeline may draw from it, too.
  if (taken && readMark(taken.comment)?.name !== here.name.table)
    throw new IncrepError('QUERY_FAILED', {
      what: `the destination has another relation ${printName(sequence)}, so increp cannot create the sequence of "${column}"`,
      next: `Rename that relation. Or use it: ${drawFrom(destinationName, column, sequence)}`,
    });
  if (!taken) {
    await queryUsually(client, createSequence(sequence, here));
    const mark = copyMark({ pipeline, name: here.name.table, hash: '' });
    await queryUsually(client, commentOnSequence(sequence, mark));
  }
  await queryUsually(client, drawFrom(destinationName, column, sequence));
  if (here.isOwned) await queryUsually(client, ownSequence(sequence, destinationName, column));
}

const beyondRange = (sequence: TableName, value: string): IncrepError =>
  new IncrepError('QUERY_FAILED', {
    what: `the values reach ${value}, which is outside the range of the sequence ${printName(sequence)}`,
    next: `Change its range at the destination: ALTER SEQUENCE ${qualified(sequence)} AS bigint NO MINVALUE NO MAXVALUE. Then run this command again.`,
  });

function namingGrant(error: IncrepError, sequence: TableName, role: string): IncrepError {
  return error.code === 'PRIVILEGE_MISSING'
    ? new IncrepError('PRIVILEGE_MISSING', {
        what: `role "${role}" may not set the sequence ${printName(sequence)}: ${error.message}`,
        next: `As its owner, run at the destination: GRANT SELECT, UPDATE ON SEQUENCE ${qualified(sequence)} TO ${ident(role)}`,
        sqlstate: error.sqlstate,
        cause: error,
      })
    : error;
}
