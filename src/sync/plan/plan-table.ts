/** What to do with a table, and why: the whole policy, pure. */
import { IncrepError } from '../../errors.ts';
import { evolutionOf } from '../../schema/evolution.ts';
import { printName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import { selectsAlike } from '../../schema/selection-drift.ts';
import { shapeOf } from '../../schema/shape.ts';
import { isKeyed, type StateRecord } from '../../schema/state-record.ts';
import { tableCommand } from '../../shell-word.ts';
import { adopt, incremental, load } from './build-plan.ts';
import { driftOf, settingsDrift } from './drift.ts';
import type { TableFacts } from '../facts/facts.ts';
import { reloadHindrance, lossRefusal } from './reload-guard.ts';
import { isKeyedPlan, type Plan, type Request } from './plan.ts';
import { unchangedCheckFor, type UnchangedCheck } from './unchanged-check.ts';
import { refusalsOf } from './refusals.ts';
import { typeDrift } from './type-refusals.ts';
import { notOurs, rowsInWords, type Unclaimed } from '../facts/unclaimed.ts';

export function planTable(now: TableFacts, request: Request): Plan {
  if (!now.settings.isEnabled)
    return { kind: 'skip', action: 'skipped', reason: 'it is disabled in tables-config.json' };
  const [refusal, ...others] = refusalsOf(now);
  if (refusal || !now.source)
    return refuse(refusal ?? new IncrepError('INTERNAL', { what: 'no source', next: '' }), others);
  if (!now.destination) return load(now, now.source, 'initial', 'there is no destination table yet');
  const loss = lossRefusal(now, now.source);
  if (loss) return refuse(loss);
  if (now.unclaimed) return claim(now, now.source, now.unclaimed, request);
  if (request.isFullRefresh) return load(now, now.source, 'full-refresh', 'a full refresh was asked for');
  if (now.saved.kind === 'none') return load(now, now.source, 'initial', now.saved.why);
  if (now.settings.mode === 'full-refresh') return refresh(now, now.source, now.destination, request);
  if (now.saved.kind === 'record' && !isKeyed(now.saved.record))
    return load(now, now.source, 'initial', 'no cursor is known, because its mode was full-refresh');
  const drift = [
    ...driftOf(now, now.source, now.destination),
    // To us no drift: the label is added, and no row has to be read again.
    ...(now.settings.onSchemaChange === 'fail' && now.saved.kind === 'record' ? typeDrift(now) : []),
  ];
  if (drift.length > 0) return onDrift(now, now.source, now.destination, { request, drift });
  if (wasEmptied(now)) return load(now, now.source, 'initial', EMPTIED);
  return incremental(now, now.source, request);
}

/** Nothing is known of the table, and it is not empty: only a person can say what is to become of it. */
function claim(now: TableFacts, source: Relation, unclaimed: Unclaimed, request: Request): Plan {
  if (request.claim === 'adopt') return adopt(now, source);
  return request.claim === 'replace'
    ? load(now, source, 'initial', `the ${rowsInWords(unclaimed)} of the destination table are replaced`)
    : refuse(notOurs(now, unclaimed));
}

/** Every time, because nothing tells which rows have changed. */
function refresh(now: TableFacts, source: Relation, destination: Relation, request: Request): Plan {
  const drift = driftOf(now, source, destination);
  if (drift.length > 0) return onDrift(now, source, destination, { request, drift });
  if (wasEmptied(now)) return load(now, source, 'initial', EMPTIED);
  const plan = load(now, source, 'full-refresh', 'loaded again each time: mode is full-refresh');
  const probe = isKeyedPlan(plan) || plan.typeChanges.length > 0 ? undefined : unchangedCheckFor(now, source);
  return probe ? { ...plan, reason: `${plan.reason}, unless ${PROBED[probe.kind]}`, probe } : plan;
}

const PROBED = {
  numbers: 'one pass over the source shows that nobody has written there (skip_unchanged)',
  digest: 'hashing each row at the source shows that none has changed (skip_unchanged)',
} as const satisfies Record<UnchangedCheck['kind'], string>;

interface Drifted {
  readonly request: Request;
  readonly drift: readonly string[];
}

function onDrift(now: TableFacts, source: Relation, destination: Relation, drifted: Drifted): Plan {
  const reason = drifted.drift.join('; ');
  if (now.settings.onSchemaChange === 'reset') return load(now, source, 'reset', reason);
  if (now.settings.onSchemaChange === 'evolve') return evolve(now, source, destination, drifted);
  return refuse(
    new IncrepError('SCHEMA_CHANGE_REFUSED', {
      what: `${printName(now.sourceName)} and its copy differ: ${reason}`,
      next: `To load the table again in its new shape, run "${tableCommand('reset', now.settings.name)}" and "${tableCommand('sync', now.settings.name)}": on_schema_change is "fail".`,
    }),
  );
}

/** In place where nothing is lost by it; any other change is a reset, with the reason why. */
function evolve(now: TableFacts, source: Relation, destination: Relation, { request, drift }: Drifted): Plan {
  const { saved, settings, natives } = now;
  const reset = (...why: readonly string[]) =>
    load(
      now,
      source,
      'reset',
      `${drift.join('; ')}${why.length > 0 ? `; not in place: ${why.join('; ')}` : ''}`,
    );
  const hindrance = request.notInPlace ?? reloadHindrance(settings);
  if (hindrance !== undefined) return reset(hindrance);
  // Another key is another way to copy, other rows are another copy, and what is empty or loaded anyway is filled as fast as it is altered.
  if (
    settings.mode === 'full-refresh' ||
    saved.kind !== 'record' ||
    !isKeyed(saved.record) ||
    settingsDrift(saved.record, settings).length > 0 ||
    !selectsAlike(saved.record.selection, settings.selection) ||
    wasEmptied(now)
  )
    return reset();
  const evolution = evolutionOf({
    recorded: saved.record.shape,
    current: shapeOf(source),
    copy: destination.columns,
    natives,
    mergeKey: settings.mergeKey,
    replicationKey: saved.record.replicationKey,
    keepsMarked: settings.deletes === 'soft',
  });
  if ('obstacles' in evolution) return reset(...evolution.obstacles);
  return incremental(now, source, request, { evolution, drift });
}

/** TRUNCATE by hand asks for the table again, as DROP does. A table that never had a row is simply empty. */
const wasEmptied = ({ saved, destinationHasRows }: TableFacts): boolean =>
  saved.kind === 'record' && hadRows(saved.record) && !destinationHasRows;

const hadRows = ({ cursor, contents }: StateRecord): boolean =>
  contents ? contents.rows !== '0' : cursor !== null;

const EMPTIED = 'the destination table has been emptied';

const refuse = (error: IncrepError, others: readonly IncrepError[] = []): Plan => ({
  kind: 'refuse',
  action: 'skipped',
  reason: error.message,
  error,
  others,
});
