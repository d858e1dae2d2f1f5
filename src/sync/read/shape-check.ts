/** Checks in a snapshot whether the source still has the planned shape. */
import type pg from 'pg';
import * as z from 'zod';
import { IncrepError } from '../../errors.ts';
import { describeRelations } from '../../postgres/catalog.ts';
import { printName } from '../../schema/names.ts';
import { hasSql } from '../../schema/selection.ts';
import { without } from '../../schema/selection-drift.ts';
import { fingerprintOf, shapeOf } from '../../schema/shape.ts';
import type { PlanBase } from '../plan/plan.ts';
import { REWRITTEN_SINCE_SNAPSHOT } from '../../sql/heap.ts';
import type { CopyFacts } from '../facts/facts.ts';
import { describeSources } from '../facts/source-selection.ts';

/** Whether the SQL of the entry may read tables beside the table that is locked before the snapshot. */
export const mayReadMore = ({ settings: { selection }, selected }: CopyFacts): boolean =>
  hasSql(selection) && !selected.isSteady;

/**
 * Describing SQL locks all tables that it reads until the end of the transaction. After that, a check for rewritten tables
 * proves that the snapshot shows their rows. @throws IncrepError SCHEMA_CHANGED
 */
export async function ensureShape(
  source: pg.ClientBase,
  facts: CopyFacts,
  { shape, laterColumns = [] }: Pick<PlanBase, 'shape' | 'laterColumns'>,
): Promise<void> {
  const { sourceName: name, settings } = facts;
  const isQuery = settings.selection.query !== null;
  const table = isQuery
    ? undefined
    : (await describeRelations(source, name.schema, [name.table])).get(name.table);
  const [described] = await describeSources(source, [{ settings, name, table }], false);
  const now = described?.relation;
  const isSame =
    now &&
    !described.fault &&
    fingerprintOf(without(shapeOf(now), new Set(laterColumns))) === fingerprintOf(shape);
  if (isSame && !(mayReadMore(facts) && (await isRewritten(source)))) return;
  throw new IncrepError('SCHEMA_CHANGED', {
    what: `${isQuery ? `a table that the query of "${name.table}" reads` : printName(name)} changed while increp was reading it`,
    next: 'Run increp again after the schema change is complete.',
  });
}

const rewrittenRow = z.object({ isRewritten: z.boolean() });

const isRewritten = async (source: pg.ClientBase): Promise<boolean> =>
  rewrittenRow.parse((await source.query(REWRITTEN_SINCE_SNAPSHOT)).rows[0]).isRewritten;
