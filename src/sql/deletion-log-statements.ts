/** What the owner of a source table runs to record deleted rows. increp prints it and never runs it. */
import type { TableName } from '../schema/names.ts';
import { ident, identList, literal, qualified } from './identifiers.ts';

export interface RecordedTable {
  readonly table: TableName;
  /** The unique key, with the types of the source. */
  readonly key: readonly { readonly name: string; readonly type: string }[];
  readonly log: TableName;
  readonly deletedAt: string;
  /** The role of increp at the source. */
  readonly reader: string;
}

/** How long the pruning statement keeps entries. */
const KEPT = '30 days';

/** Postgres cuts longer names, which could make two of them equal. */
const MAX_NAME_BYTES = 63;

const suffixed = (name: string, suffix: string): string => {
  let kept = name;
  while (Buffer.byteLength(`${kept}${suffix}`) > MAX_NAME_BYTES) kept = kept.slice(0, -1);
  return `${kept}${suffix}`;
};

/** `withSchema`: increp may already use the schema of the source table. */
export const grantReading = (
  log: TableName,
  role: string,
  { withSchema }: { readonly withSchema: boolean },
): string =>
  [
    ...(withSchema ? [`GRANT USAGE ON SCHEMA ${ident(log.schema)} TO ${ident(role)}`] : []),
    `GRANT SELECT ON ${qualified(log)} TO ${ident(role)}`,
  ].join('; ');

const fillFunction = ({ schema, table }: TableName): string =>
  qualified({ schema, table: suffixed(table, '_fill') });

export function recordDeletions(recorded: RecordedTable): string {
  const { table, key, log, deletedAt, reader } = recorded;
  const names = key.map(({ name }) => name);
  const fn = fillFunction(log);
  const trigger = (suffix: string) => ident(suffixed(log.table, suffix));
  const variables = names.map((_, place) => `key${place + 1}`);
  const declared = names.map((name, place) => `  key${place + 1} ${qualified(log)}.${ident(name)}%TYPE;\n`);
  const assigned = names.map((name, place) => `      key${place + 1} := OLD.${ident(name)};\n`);
  const changed = names.map((name) => `OLD.${ident(name)} IS DISTINCT FROM NEW.${ident(name)}`).join(' OR ');
  const triggers = ['_row', '_key', '_all'].map(trigger);
  const index = ident(suffixed(`${log.table}_${deletedAt}`, '_idx'));
  return `-- You can run this again: an existing log keeps its entries. If unique_cols have changed, drop the log
-- first, and increp then compares the keys once:
-- ${dropLog(log).join('; ')};
BEGIN;
CREATE TABLE IF NOT EXISTS ${qualified(log)} (
${key.map(({ name, type }) => `  ${ident(name)} ${type},\n`).join('')}  ${ident(deletedAt)} timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ${qualified(log)} IS ${literal(`keys of deleted rows of ${table.table}; a row without a key says that rows went without an entry`)};
CREATE INDEX IF NOT EXISTS ${index} ON ${qualified(log)} (${ident(deletedAt)});
-- Rows may be gone without an entry in an existing log. An entry without a key makes increp compare the keys once.
INSERT INTO ${qualified(log)} (${ident(deletedAt)})
  SELECT clock_timestamp() FROM pg_catalog.pg_attribute
  WHERE attrelid = ${literal(qualified(log))}::regclass AND attnum = 1 AND age(xmin) > 0;

CREATE OR REPLACE FUNCTION ${fn}() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fill$
DECLARE
${declared.join('')}BEGIN
  IF TG_OP <> 'TRUNCATE' THEN
    BEGIN
${assigned.join('')}    EXCEPTION WHEN undefined_column THEN
      -- A column of the key was renamed: an entry without a key makes increp compare the keys.
      NULL;
    END;
  END IF;
  INSERT INTO ${qualified(log)} (${identList(names)}) VALUES (${variables.join(', ')});
  RETURN NULL;
END
$fill$;
REVOKE ALL ON FUNCTION ${fn}() FROM PUBLIC;

CREATE OR REPLACE TRIGGER ${triggers[0]} AFTER DELETE ON ${qualified(table)}
  FOR EACH ROW EXECUTE FUNCTION ${fn}();
CREATE OR REPLACE TRIGGER ${triggers[1]} AFTER UPDATE ON ${qualified(table)}
  FOR EACH ROW WHEN (${changed}) EXECUTE FUNCTION ${fn}();
CREATE OR REPLACE TRIGGER ${triggers[2]} AFTER TRUNCATE ON ${qualified(table)}
  FOR EACH STATEMENT EXECUTE FUNCTION ${fn}();
${triggers.map((name) => `ALTER TABLE ${qualified(table)} ENABLE ALWAYS TRIGGER ${name};`).join('\n')}

${grantReading(log, reader, { withSchema: log.schema !== table.schema })};
COMMIT;
`;
}

/** To run once a day. The entry without a key makes a pipeline that is further behind compare the keys. */
export const pruneDeletions = ({ log, deletedAt }: RecordedTable): string => `BEGIN;
DELETE FROM ${qualified(log)} WHERE ${ident(deletedAt)} < now() - interval '${KEPT}';
INSERT INTO ${qualified(log)} (${ident(deletedAt)}) VALUES (now() - interval '${KEPT}');
COMMIT;
`;

/** $1 oids of tables, $2 names of their logs. The triggers whose function names the log. */
export const LOG_TRIGGERS = /* sql */ `
  SELECT o.place::int AS place, t.tgname::text AS name, t.tgenabled::text AS enabled, t.tgtype & 8 = 8 AS "onDelete",
         t.tgtype & 16 = 16 AS "onUpdate", t.tgtype & 32 = 32 AS "onTruncate"
  FROM unnest($1::oid[], $2::text[]) WITH ORDINALITY o(oid, log, place)
    JOIN pg_trigger t ON t.tgrelid = o.oid JOIN pg_proc f ON f.oid = t.tgfoid
  WHERE NOT t.tgisinternal AND strpos(f.prosrc, o.log) > 0 ORDER BY 1, 2`;

/** Drops the triggers, too. */
export const dropLog = (log: TableName): string[] => [
  `DROP FUNCTION IF EXISTS ${fillFunction(log)} CASCADE`,
  `DROP TABLE IF EXISTS ${qualified(log)}`,
];
