/** Which copies no longer have the shape of their source: what a sync would say, asked in a short time. */
import type { TableSettings } from '../config/settings.ts';
import { asIncrepError, IncrepError } from '../errors.ts';
import { Database } from '../postgres/database.ts';
import { gatherFacts } from './facts.ts';
import { ordinaryRequest, planTable } from './plan.ts';
import type { Work } from './work.ts';

/** Whoever asks for the state of the copies does not wait long for the source. */
const LIMIT_SECONDS = 5;

export interface Drift {
  readonly what: string;
  readonly next: string;
}

export interface Drifts {
  /** By name; undefined where nobody could look. */
  readonly found: ReadonlyMap<string, Drift> | undefined;
  /** Why. */
  readonly trouble: IncrepError | undefined;
}

export async function driftNow(work: Work, tables: readonly TableSettings[]): Promise<Drifts> {
  const { settings } = work;
  const tooLate = new AbortController();
  const timer = setTimeout(() => tooLate.abort(slow(work)), LIMIT_SECONDS * 1000);
  const signal = AbortSignal.any([tooLate.signal, ...(work.signal ? [work.signal] : [])]);
  await using source = new Database(settings.source, { ...settings, signal });
  try {
    const facts = await gatherFacts({ ...work, source }, tables);
    return { found: new Map(facts.tables.flatMap(driftOf)), trouble: undefined };
  } catch (error) {
    work.signal?.throwIfAborted();
    return { found: undefined, trouble: asIncrepError(error) };
  } finally {
    clearTimeout(timer);
  }
}

function driftOf(facts: Parameters<typeof planTable>[0]): [string, Drift][] {
  const plan = planTable(facts, ordinaryRequest());
  const { name } = facts.settings;
  if (plan.kind === 'load' && plan.action === 'reset')
    return [[name, { what: plan.reason, next: 'The next "increp sync" loads the table again.' }]];
  if (plan.kind === 'incremental' && plan.evolution)
    return [[name, { what: plan.reason, next: 'The next "increp sync" does so.' }]];
  return plan.kind === 'refuse' && plan.error.code === 'DRIFT_REFUSED'
    ? [[name, { what: plan.error.message, next: plan.error.next }]]
    : [];
}

const slow = ({ source }: Work): IncrepError =>
  new IncrepError('CONNECTION_FAILED', {
    what: `source ${source.place.address} did not answer within ${LIMIT_SECONDS} s`,
    next: 'Use --no-source to leave it out.',
  });
