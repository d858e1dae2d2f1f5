/** A schema full of functions, operators and types that have the names of Postgres' own, and fail when they are used. */
import type { Pool } from 'pg';

/** Postgres' functions and operators of ordinary types, under their names, each of which raises an error. */
const PLANT = /* sql */ `
  CREATE SCHEMA planted; GRANT USAGE ON SCHEMA planted TO PUBLIC;
  DO $plant$ DECLARE f record; BEGIN
    FOR f IN SELECT proname, pg_get_function_identity_arguments(oid) AS arguments, prorettype::regtype AS result, proretset
      FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND proargmodes IS NULL
        AND NOT ('internal'::regtype = ANY (proargtypes) OR prorettype IN ('internal'::regtype, 'trigger'::regtype))
        AND NOT EXISTS (SELECT FROM unnest(proargtypes) a JOIN pg_type t ON t.oid = a WHERE t.typtype = 'p' AND a <> 'record'::regtype)
        AND NOT EXISTS (SELECT FROM pg_type t WHERE t.oid = prorettype AND t.typtype = 'p' AND t.typname NOT IN ('void', 'record'))
    LOOP
      EXECUTE format('CREATE FUNCTION planted.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS
        $f$ BEGIN RAISE EXCEPTION ''planted function %s was called''; END $f$',
        f.proname, f.arguments, CASE WHEN f.proretset THEN 'SETOF' ELSE '' END, f.result, replace(f.proname, '''', ''));
    END LOOP;
    FOR f IN SELECT o.oprname, o.oprleft::regtype AS l, o.oprright::regtype AS r, p.proname
      FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
      WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprkind = 'b' AND EXISTS (
        SELECT FROM pg_proc e WHERE e.pronamespace = 'planted'::regnamespace AND e.proname = p.proname
          AND e.proargtypes[0] = o.oprleft AND e.proargtypes[1] = o.oprright)
    LOOP
      EXECUTE format('CREATE OPERATOR planted.%s (FUNCTION = planted.%I, LEFTARG = %s, RIGHTARG = %s)',
        f.oprname, f.proname, f.l, f.r);
    END LOOP;
  END $plant$;
  CREATE DOMAIN planted.text AS pg_catalog.text CHECK (false);
  CREATE DOMAIN planted.timestamptz AS pg_catalog.timestamptz CHECK (false);
  CREATE DOMAIN planted.int8 AS pg_catalog.int8 CHECK (false);
  CREATE VIEW planted.pg_class AS SELECT 1 / 0 AS oid;
  CREATE VIEW planted.pg_settings AS SELECT 1 / 0 AS name`;

/** Returns how many functions and operators there are. */
export async function plant(pool: Pool): Promise<number> {
  await pool.query(PLANT);
  const { rows } = await pool.query<{ planted: number }>(
    `SELECT (SELECT count(*) FROM pg_proc WHERE pronamespace = 'planted'::regnamespace)::int
          + (SELECT count(*) FROM pg_operator WHERE oprnamespace = 'planted'::regnamespace)::int AS planted`,
  );
  return rows[0]?.planted ?? 0;
}
