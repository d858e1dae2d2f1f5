/** What the control database must say of the runs, and what it may never say. */
import type { Pool } from 'pg';
import { PIPELINES, INTERVALS, LIMITS, type SetName } from './pipelines.ts';

interface Rule {
  readonly name: string;
  /** Returns a row for each violation. */
  readonly sql: string;
}

/** At each moment. */
const ALWAYS: readonly Rule[] = [
  {
    name: 'a table has two jobs that are active',
    sql: `SELECT singleton_key AS table FROM increp_queue.job WHERE state = 'active' GROUP BY 1 HAVING count(*) > 1`,
  },
  {
    name: 'a table has two jobs that wait',
    sql: `SELECT singleton_key AS table FROM increp_queue.job WHERE state < 'active' GROUP BY 1, state HAVING count(*) > 1`,
  },
  {
    name: 'a table has two attempts that run',
    sql: `SELECT pipeline, table_name FROM increp_serve.attempts WHERE state = 'running' GROUP BY 1, 2 HAVING count(*) > 1`,
  },
  {
    name: 'a table that runs has no attempt',
    sql: `SELECT t.* FROM increp_serve.run_tables t LEFT JOIN increp_serve.attempts a ON a.id = t.attempt_id
      WHERE t.state = 'running' AND a.state IS DISTINCT FROM 'running'`,
  },
  {
    name: 'a run has ended before its tables, or its tables before it',
    sql: `SELECT r.id, r.pipeline, r.state FROM increp_serve.runs r
      WHERE (r.finished_at IS NOT NULL) <> (r.state IN ('ok', 'partial', 'failed'))
        OR (r.state IN ('running', 'ok', 'partial', 'failed') AND (r.state = 'running') <> EXISTS (
          SELECT FROM increp_serve.run_tables t WHERE t.run_id = r.id AND t.state IN ('queued', 'running')))`,
  },
  {
    name: 'a table waits without a job',
    sql: `SELECT t.* FROM increp_serve.run_tables t WHERE t.state = 'queued' AND NOT EXISTS (
      SELECT FROM increp_queue.job j WHERE j.singleton_key = t.pipeline || '/' || t.table_name AND j.state <= 'active')`,
  },
  {
    name: 'a run waits without a look',
    sql: `SELECT r.id FROM increp_serve.runs r WHERE r.state = 'queued' AND NOT EXISTS (
      SELECT FROM increp_queue.job j WHERE j.singleton_key = r.pipeline AND j.state <= 'active')`,
  },
  {
    name: 'a source has more active jobs than its limit',
    sql: `SELECT group_id, count(*), max(p.jobs) FROM increp_queue.job j JOIN increp_serve.pipelines p ON p.queue = j.name
      WHERE j.state = 'active' AND group_id IS NOT NULL GROUP BY 1 HAVING count(*) > max(p.jobs)`,
  },
];

/** When everything has stopped. */
const AT_THE_END: readonly Rule[] = [
  ...ALWAYS,
  {
    name: 'an attempt runs although no worker does',
    sql: `SELECT * FROM increp_serve.attempts WHERE state = 'running'`,
  },
  {
    name: 'a run has not ended',
    sql: `SELECT * FROM increp_serve.runs WHERE finished_at IS NULL`,
  },
  {
    name: 'a job is left',
    sql: `SELECT name, state, singleton_key FROM increp_queue.job WHERE state <= 'active'`,
  },
  {
    name: 'a table is not ok',
    sql: `SELECT pipeline, table_name, state, crashes FROM increp_serve.tables WHERE state <> 'ok' OR crashes > 0`,
  },
  {
    name: 'a worker that has stopped is said to work',
    sql: `SELECT id, state, seen_at FROM increp_serve.workers WHERE state <> 'stopped' AND seen_at > now() - interval '10 s'`,
  },
  {
    name: 'an attempt that is done has no result',
    sql: `SELECT id FROM increp_serve.attempts WHERE (state = 'running') <> (finished_at IS NULL)
      OR (state = 'done' AND table_name IS NOT NULL AND outcome IS NULL)`,
  },
];

/** Each due time of a schedule is a run, or one of those that the next run has counted as missed. */
const UNACCOUNTED = /* sql */ `
  SELECT r.pipeline, r.entry, r.due_at, r.missed, r.before FROM (
    SELECT pipeline, entry, due_at, missed, lag(due_at) OVER (PARTITION BY pipeline, entry ORDER BY due_at) AS before
    FROM increp_serve.runs WHERE origin = 'schedule') r
  JOIN jsonb_each_text($1::jsonb) i ON i.key = r.pipeline || '/' || r.entry
  WHERE r.due_at - make_interval(secs => (r.missed + 1) * i.value::int) IS DISTINCT FROM r.before AND r.before IS NOT NULL`;

/** The last due time, or later ones that nothing has run. */
const STOPPED_SCHEDULES = /* sql */ `
  SELECT s.pipeline, s.entry, s.due_at, r.last FROM increp_serve.schedules s
  LEFT JOIN (SELECT pipeline, entry, max(due_at) AS last FROM increp_serve.runs GROUP BY 1, 2) r USING (pipeline, entry)
  JOIN jsonb_each_text($1::jsonb) i ON i.key = s.pipeline || '/' || s.entry
  WHERE s.due_at - make_interval(secs => i.value::int) IS DISTINCT FROM r.last`;

async function violationsAlways(control: Pool): Promise<readonly string[]> {
  return violationsOf(control, ALWAYS);
}

export async function violationsAtTheEnd(control: Pool): Promise<readonly string[]> {
  const found = await violationsOf(control, AT_THE_END);
  const rows = async (name: string, sql: string) =>
    violationTexts(name, (await control.query<object>(sql, [JSON.stringify(INTERVALS)])).rows);
  return [
    ...found,
    ...(await rows('a due time has neither a run nor a place in "missed"', UNACCOUNTED)),
    ...(await rows('the last due time has no run', STOPPED_SCHEDULES)),
  ];
}

/** One transaction, so that all rules see the same moment. */
async function violationsOf(control: Pool, rules: readonly Rule[]): Promise<readonly string[]> {
  const client = await control.connect();
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const found: string[] = [];
    for (const { name, sql } of rules)
      found.push(...violationTexts(name, (await client.query<object>(sql)).rows));
    await client.query('COMMIT');
    client.release();
    return found;
  } catch (error) {
    client.release(true);
    throw error;
  }
}

const violationTexts = (name: string, rows: readonly object[]): readonly string[] =>
  rows.length === 0 ? [] : [`${name}: ${rows.length} times, first ${JSON.stringify(rows[0])}`];

export interface Seen {
  readonly moments: number;
  /** The most active jobs of each set. */
  readonly mostActive: Readonly<Record<SetName, number>>;
  readonly violations: readonly string[];
}

const ACTIVE_BY_PIPELINE = /* sql */ `
  SELECT p.name, count(*)::int AS count FROM increp_queue.job j JOIN increp_serve.pipelines p ON p.queue = j.name
  WHERE j.state = 'active' AND j.group_id IS NOT NULL GROUP BY 1`;

/** Adds what holds now. A violation counts once. */
export async function seeMoment(control: Pool, before: Seen): Promise<Seen> {
  const violations = await violationsAlways(control);
  const { rows } = await control.query<{ name: string; count: number }>(ACTIVE_BY_PIPELINE);
  const activeOf = (set: SetName) =>
    rows
      .filter(({ name }) => PIPELINES.some((pipeline) => pipeline.name === name && pipeline.set === set))
      .reduce((sum, { count }) => sum + count, 0);
  const sets = Object.keys(LIMITS) as SetName[];
  return {
    moments: before.moments + 1,
    mostActive: Object.fromEntries(
      sets.map((set) => [set, Math.max(before.mostActive[set], activeOf(set))]),
    ) as Record<SetName, number>,
    violations: [...new Set([...before.violations, ...violations])],
  };
}
