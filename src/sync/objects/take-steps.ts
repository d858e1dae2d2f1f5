/**
 * Creates and drops copied objects, each on its own. They come after the commit of the rows, so that an object that fails
 * costs no row: the table is reported, and a later run tries again.
 */
import { asIncrepError, type IncrepError } from '../../errors.ts';
import type { ObjectChange } from '../../reasons.ts';
import { tableKey } from '../../schema/names.ts';
import {
  addConstraint,
  createIndex,
  dropDefault,
  dropIndexConcurrently,
  removeConstraint,
  setDefault,
  validateConstraint,
} from '../../sql/table-objects.ts';
import type { CopiedDefault, RefusedObject } from '../../state/copied-objects-file.ts';
import { enterPhase } from '../context/phases.ts';
import {
  addCopy,
  dropConstraintCopy,
  dropDefaultCopy,
  setDefaultCopy,
  validateCopy,
} from './change-constraints.ts';
import { createCopy, dropCopy, removeUnfinished } from './change-indexes.ts';
import type { ObjectStep } from './compare-objects.ts';
import type { CopiedTable } from './copied-table.ts';
import { changeOf, objectOf } from './planned-objects.ts';
import type { StepContext } from './step-context.ts';

export interface StepResults {
  readonly changes: readonly ObjectChange[];
  /** Objects that the rows refused in this run. */
  readonly refused: readonly RefusedObject[];
  /** Defaults that were set. */
  readonly defaults: readonly CopiedDefault[];
}

/** `held`: refused a short time ago, so they are not tried again. @throws only if the run is stopped */
export async function takeSteps(
  context: StepContext,
  table: CopiedTable,
  held: readonly RefusedObject[],
): Promise<StepResults> {
  const changes: ObjectChange[] = [];
  const refused: RefusedObject[] = [];
  const defaults: CopiedDefault[] = [];
  const key = tableKey(table.destinationName);
  const attempt = async (step: ObjectStep): Promise<void> => {
    const named = objectOf(step);
    const hash = holdOf(step);
    const statement = statementOf(table, step);
    const holder = held.find((each) => each.hash === hash);
    if (holder) {
      const { message } = holder;
      changes.push({ ...named, change: 'refused', message, statement, isHeld: true });
      return;
    }
    if (context.timeLimit.isOver) {
      changes.push({ ...named, change: 'deferred' });
      return;
    }
    try {
      await enterPhase(context, table, 'index', { detail: named.name });
      const { next, ...done } = await take(context, table, step);
      if (!done.isSilent) changes.push({ ...named, change: DONE[changeOf(step)] });
      if (done.printed !== undefined && step.kind === 'set-default')
        defaults.push({
          table: key,
          column: step.wanted.name,
          source: step.wanted.expression,
          destination: done.printed,
        });
      if (next) await attempt(next);
    } catch (thrown) {
      context.signal?.throwIfAborted();
      const error = asIncrepError(thrown);
      if (error.code === 'INTERNAL') throw thrown;
      const { message } = error;
      changes.push({ ...named, change: 'refused', message, statement, isHeld: false });
      if (step.kind === 'create-index') await removeUnfinished(context, table, step);
      if (hash !== undefined && isAboutRows(error))
        refused.push({ table: key, hash, message, at: new Date().toISOString() });
    }
  };
  for (const step of table.steps) await attempt(step);
  return { changes, refused, defaults };
}

/** Such an attempt reads the whole table. Other refusals come at once. */
const isAboutRows = ({ sqlstate = '' }: IncrepError): boolean => /^(22|23|54|57014)/.test(sqlstate);

/**
 * What identifies the step if its refusal is to be remembered. A foreign key may lack rows that the next sync copies, so it is
 * validated in each run.
 */
function holdOf(step: ObjectStep): string | undefined {
  if (step.kind === 'create-index' || step.kind === 'add-constraint') return step.wanted.hash;
  return step.kind === 'validate' && step.wanted.kind === 'check constraint'
    ? `${step.wanted.hash}/valid`
    : undefined;
}

const DONE = { create: 'created', replace: 'replaced', drop: 'dropped', validate: 'validated' } as const;

/** For messages: what a user would run. */
function statementOf({ destinationName: table }: CopiedTable, step: ObjectStep): string {
  switch (step.kind) {
    case 'create-index':
      return createIndex(table, step.wanted, { isConcurrent: true });
    case 'drop-index':
      return step.index.constraint
        ? removeConstraint(table, step.index.constraint.name)
        : dropIndexConcurrently(table.schema, step.index.name);
    case 'add-constraint':
      return addConstraint(table, step.wanted.name, step.wanted.definition, { isChecked: true });
    case 'validate':
      return validateConstraint(table, step.name);
    case 'drop-constraint':
      return removeConstraint(table, step.name);
    case 'set-default':
      return setDefault(table, step.wanted.name, step.wanted.expression);
    case 'drop-default':
      return dropDefault(table, step.column);
  }
}

interface Taken {
  /** A step that belongs to this one. */
  readonly next?: ObjectStep;
  /** The default as the destination prints it. */
  readonly printed?: string;
  /** What an unfinished index was meant for is in the other steps. */
  readonly isSilent?: boolean;
}

async function take(context: StepContext, table: CopiedTable, step: ObjectStep): Promise<Taken> {
  switch (step.kind) {
    case 'create-index':
      await createCopy(context, table, step);
      return {};
    case 'drop-index':
      await dropCopy(context, table, step);
      return { isSilent: step.isUnfinished };
    case 'add-constraint': {
      const { wanted } = step;
      const name = await addCopy(context, table, step);
      return wanted.isValid ? { next: { kind: 'validate', wanted, name }, isSilent: false } : {};
    }
    case 'validate':
      await validateCopy(context, table, step.name);
      return { isSilent: false };
    case 'drop-constraint':
      await dropConstraintCopy(context, table, step);
      return {};
    case 'set-default':
      return { printed: await setDefaultCopy(context, table, step) };
    case 'drop-default':
      await dropDefaultCopy(context, table, step);
      return {};
  }
}
