/** What changed since the cursor: into the staging table, and merged. */
import type pg from 'pg';
import { IncrepError } from '../errors.ts';
import { derivedName, printName } from '../schema/names.ts';
import type { Copied } from '../postgres/copy-pipe.ts';
import { codeOf } from '../postgres/identity.ts';
import { shellWord } from '../shell-word.ts';
import { createMergeKey } from '../sql/destination.ts';
import { windowCondition, type Window } from '../sql/window.ts';
import type { TableFacts } from './facts.ts';
import type { RaisedFence } from './fence.ts';
import { countsOf, olderWarning } from './load.ts';
import { ensureMark } from './marked-rows.ts';
import { dropOlderVersions, mergeOf, mergeStaging, type MergeCounts, type Share } from './merge-staging.ts';
import { nullKeyWarning } from './null-keys.ts';
import type { IncrementalPlan } from './plan.ts';
import { readWindow } from './read-window.ts';
import { removeDeleted, type Removal } from './remove-deleted.ts';
import { emptyStaging } from './staging.ts';
import { shiftSince, type Transfer } from './transfer.ts';
import { verifyCopied } from './verify-copied.ts';
import { windowChoice } from './window-choice.ts';
import type { Work } from './work.ts';

interface Changes {
  readonly work: Work;
  readonly facts: TableFacts;
  readonly plan: IncrementalPlan;
  readonly fence: RaisedFence;
  readonly destination: pg.ClientBase;
  /** --force: no limit on deletes. */
  readonly isForced: boolean;
  /** --verify */
  readonly isVerified: boolean;
}

export async function syncChanges(changes: Changes): Promise<Transfer> {
  const { work, facts, plan, fence, destination, isVerified } = changes;
  await ensureMark(destination, facts);
  const { copied, warnings, merged, removal } = await readWindow(
    { work, facts, plan, destination, isCompared: plan.removesDeleted || isVerified },
    windowChoice(facts, plan, fence, { mustRead: isVerified }),
    async () => {
      await work.emit({ type: 'phase-started', table: facts.settings.name, phase: 'copy' });
      await emptyStaging(destination, facts, plan.source.columns);
    },
    (source, rows, window) => whileInView(changes, source, rows, window),
  );
  const { counts, older } = merged ?? (await mergeWindow(changes, copied));
  return {
    loader: undefined,
    rowsRead: copied.rows,
    bytes: copied.bytes,
    warnings: [
      ...warnings,
      ...olderWarning(older),
      ...missingWarning(facts, removal?.missing ?? 0),
      ...legacyWarning(plan),
      ...shiftSince(facts, plan, fence).warnings,
    ],
    ...countsOf({ ...counts, deleted: removal?.deleted ?? 0 }, copied.rows - older),
    areDeletesDone: removal !== undefined && removal.refusal === undefined,
    refusal: removal?.refusal,
  };
}

/** What has been done before the snapshot was let go. */
interface Progress {
  readonly copied: Copied;
  readonly warnings: readonly string[];
  readonly merged?: Merged;
  readonly removal?: Removal;
}

/** What needs the snapshot that was just read: comparing with it, so that the merge has to come before. */
async function whileInView(
  changes: Changes,
  source: pg.ClientBase,
  copied: Copied,
  window: Window,
): Promise<Progress> {
  const { work, facts, plan, destination, isVerified } = changes;
  const warnings = await nullKeyWarning(source, facts.sourceName, facts.settings, plan.source);
  if (!plan.removesDeleted && !isVerified) return { copied, warnings };
  const merged = await mergeWindow(changes, copied);
  const copy = { facts, relation: plan.source, source, destination };
  if (isVerified)
    await verifyCopied({ ...copy, table: facts.destinationName, where: windowCondition(window) });
  if (!plan.removesDeleted) return { copied, warnings, merged };
  await work.emit({ type: 'phase-started', table: facts.settings.name, phase: 'deletes' });
  return { copied, warnings, merged, removal: await removeDeleted({ ...copy, isForced: changes.isForced }) };
}

interface Merged {
  readonly counts: MergeCounts;
  /** Rows left out because a newer one has their key. */
  readonly older: number;
}

async function mergeWindow({ work, facts, plan, destination }: Changes, { rows }: Copied): Promise<Merged> {
  if (!plan.hasMergeIndex) await indexMergeKey(destination, facts);
  if (rows === 0) return { counts: { inserted: 0, updated: 0, deleted: 0 }, older: 0 };
  await work.emit({ type: 'phase-started', table: facts.settings.name, phase: 'merge' });
  const merge = mergeOf(facts, plan.source);
  const older = await dropOlderVersions(destination, merge, plan.source);
  return { counts: await mergeStaging(destination, merge, shareOf(facts, rows)), older };
}

/** From here on it is cheaper to read the table once than to look up every row of the window. */
const MANY = 1 / 2;

const shareOf = ({ destination }: TableFacts, rows: number): Share =>
  rows < MANY * (destination?.estimatedRows ?? Infinity) ? 'few' : 'many';

/** SQLSTATE. */
const UNIQUE_VIOLATION = '23505';

/** A copy that the older script made, or whose index a hand has dropped. */
async function indexMergeKey(
  destination: pg.ClientBase,
  { destinationName, settings }: TableFacts,
): Promise<void> {
  const index = derivedName(destinationName.table, '_increp_key');
  try {
    await destination.query(createMergeKey(destinationName, index, settings.mergeKey, false));
  } catch (error) {
    if (codeOf(error) !== UNIQUE_VIOLATION) throw error;
    throw new IncrepError('MERGE_KEY_NOT_UNIQUE', {
      what: `${printName(destinationName)} at the destination has several rows with the same ${settings.mergeKey.join(', ')}`,
      next: `The table goes on serving. Run "increp sync ${shellWord(settings.name)} --full-refresh" to make it a true copy.`,
      cause: error,
    });
  }
}

/** Found by the comparison of keys, in the very snapshot that was just merged. */
const missingWarning = ({ settings: { name, replicationKey } }: TableFacts, rows: number): string[] =>
  rows === 0
    ? []
    : [
        `${rows === 1 ? '1 row of the source is' : `${rows} rows of the source are`} missing in the copy: no sync saw a new ${replicationKey} there; "increp verify ${name} --repair" fetches what is missing`,
      ];

const legacyWarning = ({ since }: IncrementalPlan): string[] =>
  'legacyCursor' in since
    ? [
        'took over the state file of the older script; run "increp verify" once to see what that script missed',
      ]
    : [];
