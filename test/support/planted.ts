/** A schema full of functions, operators and types that have the names of Postgres' own, and fail when they are used. */
import type { Pool } from 'pg';

/** Postgres' functions and operators of ordinary types, under their names, each of which raises an error. */
const PLANT = /* sql */ `
  CREATE SCHEMA IF NOT EXISTS planted; GRANT USAGE ON SCHEMA planted TO PUBLIC;
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

/**
 * Better than what pg_catalog has for these arguments, which it would convert, or take as values of any type. So these are chosen
 * wherever the schema lies on the path.
 */
const BETTER = /* sql */ `
  DO $plant$ DECLARE f record; BEGIN
    FOR f IN SELECT name, l, r, row_number() OVER () AS nr FROM unnest(ARRAY['=', '<>', '<', '<=', '>', '>=', '||', '~~', '+', '-', '*', '%', '&']) name,
        (VALUES ('varchar', 'varchar'), ('varchar', 'text'), ('text', 'varchar'), ('text', 'int4'), ('int8', 'numeric'), ('numeric', 'int8'),
          ('numeric', 'int4'), ('int4', 'numeric'), ('int8', 'text'), ('timestamptz', 'text'), ('text', 'timestamptz'), ('oid', 'int4'),
          ('int2', 'numeric'), ('planted.mood', 'planted.mood'), ('planted.moment', 'timestamptz'), ('timestamptz', 'planted.moment'),
          ('planted.moment', 'planted.moment'), ('planted.word', 'planted.word'), ('name', 'varchar')) pairs(l, r)
      WHERE to_regtype(l) IS NOT NULL AND to_regtype(r) IS NOT NULL
        AND NOT EXISTS (SELECT FROM pg_operator o WHERE o.oprname = name AND o.oprleft = to_regtype(l) AND o.oprright = to_regtype(r))
    LOOP
      EXECUTE format('CREATE FUNCTION planted.better_%s(%s, %s) RETURNS bool LANGUAGE plpgsql AS
        $f$ BEGIN RAISE EXCEPTION ''planted operator was called''; END $f$', f.nr, f.l, f.r);
      EXECUTE format('CREATE OPERATOR planted.%s (FUNCTION = planted.better_%s, LEFTARG = %s, RIGHTARG = %s)', f.name, f.nr, f.l, f.r);
    END LOOP;
    FOR f IN SELECT * FROM (VALUES ('json_build_array', 'text'), ('json_build_array', 'text, text'), ('concat_ws', 'text, text, text'),
        ('to_json', 'text'), ('to_json', 'varchar'), ('convert_to', 'varchar, name'), ('length', 'varchar'), ('lower', 'varchar'), ('substr', 'varchar, int4'),
        ('encode', 'bytea, varchar'), ('unnest', 'text[]'), ('isfinite', 'planted.moment'), ('strpos', 'varchar, varchar'), ('format', 'text, text'),
        ('isfinite', 'text'), ('trunc', 'int8'), ('left', 'varchar, int4')) given(name, arguments)
      WHERE NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid = to_regprocedure(format('planted.%I(%s)', given.name, given.arguments)))
    LOOP
      EXECUTE format('CREATE FUNCTION planted.%I(%s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION ''planted function was called''; END $f$',
        f.name, f.arguments, CASE f.name WHEN 'unnest' THEN 'SETOF text' ELSE 'text' END);
    END LOOP;
    FOR f IN SELECT * FROM (VALUES ('varchar'), ('planted.moment'), ('planted.word'), ('planted.mood')) given(type) LOOP
      EXECUTE format('CREATE FUNCTION planted.stolen(%s, %s) RETURNS %s LANGUAGE plpgsql AS
        $f$ BEGIN RAISE EXCEPTION ''planted aggregate was called''; END $f$', f.type, f.type, f.type);
      EXECUTE format('CREATE AGGREGATE planted.max(%s) (SFUNC = planted.stolen, STYPE = %s)', f.type, f.type);
      EXECUTE format('CREATE AGGREGATE planted.min(%s) (SFUNC = planted.stolen, STYPE = %s)', f.type, f.type);
    END LOOP;
  END $plant$`;

/** Types for which pg_catalog has operators only through others. In front of `plantBetter`. */
export const PLANTED_TYPES = /* sql */ `
  CREATE SCHEMA IF NOT EXISTS planted; GRANT USAGE ON SCHEMA planted TO PUBLIC;
  CREATE TYPE planted.mood AS ENUM ('low', 'high'); CREATE DOMAIN planted.moment AS timestamptz; CREATE DOMAIN planted.word AS varchar(20)`;

export async function plantBetter(pool: Pool): Promise<void> {
  await pool.query(BETTER);
}

/** Returns how many functions and operators there are. */
export async function plant(pool: Pool): Promise<number> {
  await pool.query(PLANT);
  const { rows } = await pool.query<{ planted: number }>(
    `SELECT (SELECT count(*) FROM pg_proc WHERE pronamespace = 'planted'::regnamespace)::int
          + (SELECT count(*) FROM pg_operator WHERE oprnamespace = 'planted'::regnamespace)::int AS planted`,
  );
  return rows[0]?.planted ?? 0;
}
