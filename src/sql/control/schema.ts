/** The tables of the service in its control database. The queue has a schema of its own, which pg-boss creates. */

export const CONTROL_SCHEMA = 'increp_serve';
export const QUEUE_SCHEMA = 'increp_queue';

/**
 * Version 1. It never changes: a new control database goes through the same migrations as an old one, so both have the same
 * tables. No column holds a password: a worker finds the connections of a pipeline where it runs.
 */
export const CREATE_VERSION_1 = /* sql */ `
CREATE SCHEMA ${CONTROL_SCHEMA};

CREATE TABLE ${CONTROL_SCHEMA}.version (version int NOT NULL);
INSERT INTO ${CONTROL_SCHEMA}.version VALUES (1);

-- A directory below --pipelines.
CREATE TABLE ${CONTROL_SCHEMA}.pipelines (
  name text PRIMARY KEY,
  queue text NOT NULL UNIQUE,
  jobs int NOT NULL,
  problem jsonb,
  -- What a worker has read: the names of the servers, and the settings in effect with secrets masked.
  described jsonb,
  -- The group of its jobs, as the last look found it.
  source text,
  added_at timestamptz NOT NULL DEFAULT now(),
  -- The directory is gone. The history stays.
  removed_at timestamptz
);

-- The empty entry is the schedule of the pipeline. due_at belongs to the clock of this database.
CREATE TABLE ${CONTROL_SCHEMA}.schedules (
  pipeline text NOT NULL REFERENCES ${CONTROL_SCHEMA}.pipelines ON DELETE CASCADE,
  entry text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('every', 'cron')),
  seconds double precision,
  expression text,
  time_zone text,
  due_at timestamptz NOT NULL,
  problem text,
  PRIMARY KEY (pipeline, entry),
  CHECK ((kind = 'every') = (seconds IS NOT NULL)),
  CHECK ((kind = 'cron') = (expression IS NOT NULL AND time_zone IS NOT NULL))
);
CREATE INDEX ON ${CONTROL_SCHEMA}.schedules (due_at);

-- A schedule that a person set, instead of that of the file. The text is as in tables-config.json.
CREATE TABLE ${CONTROL_SCHEMA}.schedule_overrides (
  pipeline text NOT NULL REFERENCES ${CONTROL_SCHEMA}.pipelines ON DELETE CASCADE,
  entry text NOT NULL,
  schedule jsonb NOT NULL,
  made_by text NOT NULL,
  made_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (pipeline, entry)
);

-- Without a pipeline, everything is paused; without a table, the pipeline.
CREATE TABLE ${CONTROL_SCHEMA}.pauses (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pipeline text,
  table_name text,
  -- What a person wrote, or "crashed" with the crashes in the detail.
  reason text NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}',
  made_by text NOT NULL,
  made_at timestamptz NOT NULL DEFAULT now(),
  ends_at timestamptz,
  CHECK (pipeline IS NOT NULL OR table_name IS NULL)
);
CREATE INDEX ON ${CONTROL_SCHEMA}.pauses (pipeline, table_name);

CREATE TABLE ${CONTROL_SCHEMA}.workers (
  id uuid PRIMARY KEY,
  host text NOT NULL,
  process int NOT NULL,
  version text NOT NULL,
  capacity int NOT NULL,
  state text NOT NULL CHECK (state IN ('working', 'stopping', 'stopped')),
  started_at timestamptz NOT NULL DEFAULT now(),
  seen_at timestamptz NOT NULL DEFAULT now(),
  -- Pipelines that this worker can sync, and why it cannot sync the others.
  serves text[] NOT NULL DEFAULT '{}',
  lacks jsonb NOT NULL DEFAULT '{}'
);

-- One request: by a schedule, a person or a hook. Besides a sync, a person may ask for a command of increp.
CREATE TABLE ${CONTROL_SCHEMA}.runs (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  pipeline text NOT NULL,
  kind text NOT NULL DEFAULT 'sync' CHECK (kind IN ('sync', 'plan', 'check', 'verify', 'reset')),
  -- full_refresh, deletes, verify, max_duration_s.
  options jsonb NOT NULL DEFAULT '{}',
  -- The entry of the schedule. Null for a request, which may name tables.
  entry text,
  tables text[],
  origin text NOT NULL CHECK (origin IN ('schedule', 'request', 'hook')),
  requested_by text NOT NULL,
  requested_at timestamptz NOT NULL DEFAULT now(),
  due_at timestamptz,
  -- Due times before due_at that this run replaces.
  missed int NOT NULL DEFAULT 0,
  state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'looking', 'running', 'ok', 'partial', 'failed', 'cancelled')),
  -- The attempt of the look, or of the command.
  looked_by bigint,
  started_at timestamptz,
  finished_at timestamptz,
  -- After this, no table of the run begins.
  deadline_at timestamptz,
  quiet int NOT NULL DEFAULT 0,
  -- What the command printed with --json.
  result jsonb,
  error jsonb
);
CREATE INDEX ON ${CONTROL_SCHEMA}.runs (pipeline, requested_at DESC);
CREATE INDEX ON ${CONTROL_SCHEMA}.runs (requested_at DESC);
CREATE INDEX ON ${CONTROL_SCHEMA}.runs (pipeline) WHERE finished_at IS NULL;

-- The tables with work of a run. Several runs may wait for one attempt.
CREATE TABLE ${CONTROL_SCHEMA}.run_tables (
  run_id uuid NOT NULL REFERENCES ${CONTROL_SCHEMA}.runs ON DELETE CASCADE,
  pipeline text NOT NULL,
  table_name text NOT NULL,
  state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'ok', 'failed', 'deferred', 'cancelled')),
  attempt_id bigint,
  PRIMARY KEY (run_id, table_name)
);
CREATE INDEX ON ${CONTROL_SCHEMA}.run_tables (pipeline, table_name) WHERE state IN ('queued', 'running');
CREATE INDEX ON ${CONTROL_SCHEMA}.run_tables (attempt_id) WHERE state = 'running';

-- One execution of a job by a worker: of a table, of a command, or a look at all tables.
CREATE TABLE ${CONTROL_SCHEMA}.attempts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pipeline text NOT NULL,
  table_name text,
  -- The run of a command.
  run_id uuid,
  queue text NOT NULL,
  job_id uuid NOT NULL,
  -- retry_count of the job.
  job_attempt int NOT NULL,
  worker_id uuid NOT NULL,
  -- The application_name of its sessions.
  program text NOT NULL,
  state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'returned', 'crashed', 'superseded', 'cancelled')),
  started_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  phase text,
  phase_at timestamptz,
  progress jsonb NOT NULL DEFAULT '{}',
  -- For each destination, as in the summary of "increp sync --json".
  outcome jsonb,
  -- Nobody waits for the result any more, so the worker stops.
  cancelled_at timestamptz,
  UNIQUE (job_id, job_attempt)
);
CREATE INDEX ON ${CONTROL_SCHEMA}.attempts (pipeline, table_name, started_at DESC);
CREATE INDEX ON ${CONTROL_SCHEMA}.attempts (id) WHERE state = 'running';

-- The latest of each table. A worker lists the tables of a pipeline before their first sync.
CREATE TABLE ${CONTROL_SCHEMA}.tables (
  pipeline text NOT NULL,
  table_name text NOT NULL,
  state text NOT NULL CHECK (state IN ('new', 'ok', 'failing', 'crashed')),
  state_since timestamptz NOT NULL DEFAULT now(),
  listed_at timestamptz NOT NULL DEFAULT now(),
  is_enabled boolean NOT NULL DEFAULT true,
  -- The entry of the schedule that the table follows. Empty for the schedule of the pipeline.
  entry text NOT NULL DEFAULT '',
  -- Seconds without a success after which the table is behind or stale.
  behind_after double precision,
  stale_after double precision,
  settings jsonb NOT NULL DEFAULT '{}',
  last_success_at timestamptz,
  last_attempt_at timestamptz,
  -- Crashes of workers since the last attempt that ended.
  crashes int NOT NULL DEFAULT 0,
  -- Of the latest sync with work.
  error_code text,
  outcome jsonb,
  PRIMARY KEY (pipeline, table_name)
);

-- The longest time without a success of a table that ended in a half hour.
CREATE TABLE ${CONTROL_SCHEMA}.lags (
  pipeline text NOT NULL,
  table_name text NOT NULL,
  period timestamptz NOT NULL,
  seconds double precision NOT NULL,
  ended_at timestamptz NOT NULL,
  PRIMARY KEY (pipeline, table_name, period)
);
CREATE INDEX ON ${CONTROL_SCHEMA}.lags (period);

-- What the syncs of a pipeline did since it is known, for counters.
CREATE TABLE ${CONTROL_SCHEMA}.totals (
  pipeline text PRIMARY KEY,
  synced bigint NOT NULL,
  failed bigint NOT NULL,
  rows_inserted bigint NOT NULL,
  rows_updated bigint NOT NULL,
  rows_deleted bigint NOT NULL,
  conflicts bigint NOT NULL,
  bytes bigint NOT NULL
);

-- What the syncs of a pipeline did in a quarter of an hour.
CREATE TABLE ${CONTROL_SCHEMA}.periods (
  pipeline text NOT NULL,
  period timestamptz NOT NULL,
  synced int NOT NULL,
  failed int NOT NULL,
  rows_inserted bigint NOT NULL,
  rows_updated bigint NOT NULL,
  rows_deleted bigint NOT NULL,
  conflicts bigint NOT NULL,
  bytes bigint NOT NULL,
  PRIMARY KEY (pipeline, period)
);
CREATE INDEX ON ${CONTROL_SCHEMA}.periods (period);

CREATE TABLE ${CONTROL_SCHEMA}.events (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now(),
  level text NOT NULL CHECK (level IN ('info', 'warn', 'error')),
  code text NOT NULL,
  pipeline text,
  table_name text,
  attempt_id bigint,
  worker_id uuid,
  detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX ON ${CONTROL_SCHEMA}.events (at DESC);

-- The log of an attempt, as "increp sync" writes it, up to a number of lines.
CREATE TABLE ${CONTROL_SCHEMA}.log_lines (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL,
  level text NOT NULL CHECK (level IN ('debug', 'info', 'warn', 'error')),
  attempt_id bigint NOT NULL,
  pipeline text NOT NULL,
  table_name text,
  message text NOT NULL,
  fields jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX ON ${CONTROL_SCHEMA}.log_lines (attempt_id);

-- A token is "increp_ID_SECRET". Only the digest of the secret is here.
CREATE TABLE ${CONTROL_SCHEMA}.tokens (
  id text PRIMARY KEY,
  name text NOT NULL,
  digest bytea NOT NULL,
  role text NOT NULL CHECK (role IN ('trigger', 'read', 'operate', 'admin')),
  -- Null means all pipelines.
  pipelines text[],
  made_by text NOT NULL,
  made_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  used_at timestamptz
);
CREATE UNIQUE INDEX ON ${CONTROL_SCHEMA}.tokens (name) WHERE revoked_at IS NULL;

-- A login of a browser by a token. It ends with the token.
CREATE TABLE ${CONTROL_SCHEMA}.sessions (
  digest bytea PRIMARY KEY,
  token_id text NOT NULL REFERENCES ${CONTROL_SCHEMA}.tokens ON DELETE CASCADE,
  made_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL
);

-- Another program starts runs by it. Its secret is derived from SERVE_HOOK_KEY, so it is not here.
CREATE TABLE ${CONTROL_SCHEMA}.hooks (
  id text PRIMARY KEY,
  name text NOT NULL,
  pipeline text NOT NULL,
  -- Null means all tables.
  tables text[],
  made_by text NOT NULL,
  made_at timestamptz NOT NULL DEFAULT now(),
  removed_at timestamptz
);
CREATE UNIQUE INDEX ON ${CONTROL_SCHEMA}.hooks (name) WHERE removed_at IS NULL;

-- A message counts once.
CREATE TABLE ${CONTROL_SCHEMA}.hook_messages (
  hook text NOT NULL REFERENCES ${CONTROL_SCHEMA}.hooks ON DELETE CASCADE,
  message text NOT NULL,
  run_id uuid,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (hook, message)
);

-- Each request that was to change something, also if it was refused.
CREATE TABLE ${CONTROL_SCHEMA}.audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now(),
  -- The name of the token. Null if the request had none that is valid.
  actor text,
  token_id text,
  action text NOT NULL,
  pipeline text,
  table_name text,
  status int NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX ON ${CONTROL_SCHEMA}.audit (pipeline, id DESC);
`;

/** The statements that lead to the next version, beginning with version 2. A released migration never changes. */
const MIGRATIONS: readonly string[] = [
  /* sql */ `
-- A pipeline that the API has created: names of connections and the content of its tables-config.json, as JSON text that keeps
-- its order. Null for a directory. The version counts its changes.
ALTER TABLE ${CONTROL_SCHEMA}.pipelines
  ADD COLUMN definition json,
  ADD COLUMN definition_version int NOT NULL DEFAULT 0;

-- A preview plans this definition instead of that of a pipeline.
ALTER TABLE ${CONTROL_SCHEMA}.runs ADD COLUMN definition json;

-- The names of the connections that a worker has.
ALTER TABLE ${CONTROL_SCHEMA}.workers ADD COLUMN connections text[] NOT NULL DEFAULT '{}';

-- Rows of the source that no sync has copied. Null: the number is not known. waiting_at is the time of the count.
ALTER TABLE ${CONTROL_SCHEMA}.tables
  ADD COLUMN rows_waiting int,
  ADD COLUMN is_waiting_more boolean NOT NULL DEFAULT false,
  ADD COLUMN waiting_at timestamptz;
`,
  /* sql */ `
-- Since then, no worker has the configuration and the connections of the pipeline. Null while one has.
ALTER TABLE ${CONTROL_SCHEMA}.pipelines ADD COLUMN unserved_since timestamptz;
`,
  /* sql */ `
-- An increp serve, with its directory and the pipelines below it. It keeps them while it shows signs of life.
CREATE TABLE ${CONTROL_SCHEMA}.serve_processes (
  id uuid PRIMARY KEY,
  host text NOT NULL,
  process int NOT NULL,
  directory text NOT NULL,
  pipelines text[] NOT NULL,
  seen_at timestamptz NOT NULL DEFAULT now()
);
`,
];

export const CONTROL_VERSION = 1 + MIGRATIONS.length;

/** The statements from a version to this one, or from nothing. For one transaction. */
export function controlSql(from: number | undefined): string {
  const migrations = MIGRATIONS.slice((from ?? 1) - 1);
  return [
    ...(from === undefined ? [CREATE_VERSION_1] : []),
    ...migrations,
    ...(migrations.length > 0
      ? [`UPDATE ${CONTROL_SCHEMA}.version SET version = ${CONTROL_VERSION};\n`]
      : []),
  ].join('');
}

/** No row if the schema is missing. Not to_regclass(), which fails if the role may not use the schema. */
export const FIND_SCHEMAS = /* sql */ `
  SELECT n.nspname AS schema FROM pg_namespace n WHERE n.nspname IN ('${CONTROL_SCHEMA}', '${QUEUE_SCHEMA}')`;

export const CONTROL_VERSION_FOUND = /* sql */ `SELECT version FROM ${CONTROL_SCHEMA}.version`;
export const QUEUE_VERSION_FOUND = /* sql */ `SELECT version FROM ${QUEUE_SCHEMA}.version`;
