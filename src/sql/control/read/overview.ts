/** The first page: all pipelines at a glance. Parameters are in the order of the comments. */
import { CONTROL_SCHEMA as S } from '../schema.ts';
import { isWorking } from '../workers.ts';
import { mayBeSeen, STATES } from './states.ts';

const IS_ON = `c.state <> 'disabled'`;

/**
 * visible pipelines, search, number of pipelines, offset, seconds until a silent worker is lost. One row: the counts of all
 * tables, the tables and pipelines that need attention, and one page of pipelines, the one with the most trouble first.
 */
export const READ_OVERVIEW = /* sql */ `
  WITH ${STATES},
  seen AS NOT MATERIALIZED (SELECT * FROM states WHERE ${mayBeSeen('pipeline')}),
  counts AS MATERIALIZED (
    SELECT pipeline, state, count(*)::int AS count, count(trouble)::int AS trouble, min(trouble) AS worst,
      sum(rows_waiting) AS rows_waiting, bool_or(is_waiting_more) AS is_waiting_more,
      count(*) - count(rows_waiting) AS waiting_unknown, min(waiting_at) AS waiting_at
    FROM seen GROUP BY 1, 2),
  working AS MATERIALIZED (
    SELECT host, process, serves, lacks FROM ${S}.workers w WHERE ${isWorking('$5')}),
  served AS MATERIALIZED (SELECT DISTINCT unnest(serves) AS pipeline FROM working),
  unscheduled AS MATERIALIZED (
    SELECT pipeline, min(problem) AS problem FROM ${S}.schedules WHERE problem IS NOT NULL GROUP BY 1),
  sums AS (
    SELECT p.name, p.problem, p.unserved_since, EXISTS (SELECT FROM served v WHERE v.pipeline = p.name) AS is_served,
      (SELECT u.problem FROM unscheduled u WHERE u.pipeline = p.name) AS schedule_problem, coalesce(sum(c.trouble), 0)::int AS trouble, min(c.worst) AS worst,
      coalesce(sum(c.count), 0)::int AS tables,
      coalesce(json_object_agg(c.state, c.count) FILTER (WHERE c.state IS NOT NULL), '{}') AS states,
      json_build_object('rows', sum(c.rows_waiting) FILTER (WHERE ${IS_ON}),
        'isMore', coalesce(bool_or(c.is_waiting_more) FILTER (WHERE ${IS_ON}), false),
        'unknown', coalesce(sum(c.waiting_unknown) FILTER (WHERE ${IS_ON}), 0),
        'at', min(c.waiting_at) FILTER (WHERE ${IS_ON})) AS rows_waiting
    FROM ${S}.pipelines p LEFT JOIN counts c ON c.pipeline = p.name
    WHERE p.removed_at IS NULL AND ${mayBeSeen('p.name')} GROUP BY p.name),
  troubled AS (
    SELECT name, problem, unserved_since, is_served, schedule_problem FROM sums
    WHERE problem IS NOT NULL OR NOT is_served OR schedule_problem IS NOT NULL),
  found AS (SELECT * FROM sums WHERE $2 = '' OR strpos(lower(name), lower($2)) > 0),
  page AS (
    SELECT row_number() OVER (ORDER BY problem IS NULL, is_served, worst NULLS LAST, trouble DESC, name) AS place, f.* FROM found f
    ORDER BY 1 LIMIT $3 OFFSET $4),
  worst AS MATERIALIZED (
    SELECT DISTINCT ON (s.pipeline) s.pipeline,
      json_build_object('table', s.table_name, 'lag', s.lag, 'limit', s.lag_limit) AS worst
    FROM seen s JOIN page g ON g.name = s.pipeline
    WHERE s.state NOT IN ('disabled', 'paused') AND s.lag IS NOT NULL
    ORDER BY s.pipeline, s.lag / s.lag_limit DESC NULLS LAST, s.lag DESC),
  attention AS (
    SELECT * FROM seen WHERE trouble IS NOT NULL ORDER BY trouble, since DESC NULLS LAST, pipeline, table_name LIMIT 50)
  SELECT now() AS now,
    (SELECT coalesce(sum(count), 0)::int FROM counts WHERE state <> 'disabled') AS tables,
    (SELECT coalesce(sum(trouble), 0)::int FROM counts) AS "tablesInTrouble",
    (SELECT coalesce(json_object_agg(state, count), '{}')
      FROM (SELECT state, sum(count)::int AS count FROM counts GROUP BY 1) n) AS states,
    (SELECT count(*)::int FROM sums) AS pipelines,
    (SELECT count(*)::int FROM found) AS "pipelinesFound",
    (SELECT coalesce(json_agg(json_build_object('pipeline', a.pipeline, 'table', a.table_name, 'state', a.state,
        'since', a.since, 'lag', a.lag, 'lagLimit', a.lag_limit, 'lastSuccessAt', a.last_success_at,
        'runningSince', a.running_since, 'queuedSince', a.queued_since, 'crashes', a.crashes, 'outcome', t.outcome)
        ORDER BY a.trouble, a.since DESC NULLS LAST, a.pipeline, a.table_name), '[]')
      FROM attention a JOIN ${S}.tables t USING (pipeline, table_name)) AS attention,
    (SELECT count(*)::int FROM troubled) AS "pipelinesInTrouble",
    (SELECT coalesce(json_agg(json_build_object('pipeline', name, 'problem', problem, 'isServed', is_served,
        'since', unserved_since, 'scheduleProblem', schedule_problem, 'workers', (SELECT count(*) FROM working),
        'lacks', (SELECT coalesce(json_agg(json_build_object('host', host, 'process', process, 'lacks', lacks ->> name)
          ORDER BY host, process), '[]') FROM working WHERE lacks ? name))
        ORDER BY problem IS NULL, is_served, name), '[]')
      FROM (SELECT * FROM troubled ORDER BY problem IS NULL, is_served, name LIMIT 50) n) AS "troubledPipelines",
    (SELECT coalesce(json_agg(json_build_object('pipeline', g.name, 'tables', g.tables, 'trouble', g.trouble,
        'states', g.states, 'rowsWaiting', g.rows_waiting, 'problem', g.problem, 'worst', w.worst, 'pausedSince', z.since, 'nextDue', d.next_due,
        'schedule', d.schedule, 'scheduleProblem', g.schedule_problem, 'last', l.last, 'periods', h.periods,
        'rows', h.rows, 'isServed', g.is_served)
        ORDER BY g.place), '[]')
      FROM page g
      LEFT JOIN worst w ON w.pipeline = g.name
      LEFT JOIN LATERAL (
        SELECT min(since) AS since FROM paused z
        WHERE z.table_name IS NULL AND (z.pipeline = g.name OR z.pipeline IS NULL)) z ON true
      LEFT JOIN LATERAL (
        SELECT min(due_at) FILTER (WHERE c.problem IS NULL) AS next_due,
          (json_agg(json_build_object('seconds', c.seconds, 'expression', c.expression, 'timeZone', c.time_zone)
            ORDER BY c.entry) -> 0) AS schedule
        FROM ${S}.schedules c WHERE c.pipeline = g.name) d ON true
      LEFT JOIN LATERAL (
        SELECT json_build_object('id', r.id, 'state', r.state, 'finishedAt', r.finished_at) AS last FROM ${S}.runs r
        WHERE r.pipeline = g.name AND r.finished_at IS NOT NULL ORDER BY r.requested_at DESC LIMIT 1) l ON true
      LEFT JOIN LATERAL (
        SELECT json_agg(json_build_object('at', h.period, 'rows', h.rows_inserted + h.rows_updated + h.rows_deleted)
            ORDER BY h.period) AS periods,
          sum(h.rows_inserted + h.rows_updated + h.rows_deleted)::float8 AS rows
        FROM ${S}.periods h WHERE h.pipeline = g.name AND h.period > now() - interval '24 hours') h ON true
    ) AS "pipelineRows"`;

/** visible pipelines: of 24 hours, oldest first. */
export const READ_PERIODS = /* sql */ `
  SELECT period AS at, sum(synced)::int AS synced, sum(failed)::int AS failed, sum(rows_inserted)::float8 AS inserted,
    sum(rows_updated)::float8 AS updated, sum(rows_deleted)::float8 AS deleted, sum(conflicts)::float8 AS conflicts,
    sum(bytes)::float8 AS bytes
  FROM ${S}.periods WHERE period > now() - interval '24 hours' AND ${mayBeSeen('pipeline')} GROUP BY 1 ORDER BY 1`;
