import { literal } from './identifiers.ts';

/** Event triggers that statements of increp fire, without those of extensions. */
export const EVENT_TRIGGERS = /* sql */ `
  SELECT e.evtname AS name, p.oid::regprocedure::text AS function,
         EXISTS (SELECT FROM unnest(p.proconfig) setting WHERE setting LIKE 'search_path=%') AS "hasPath"
  FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid
  WHERE e.evtenabled IN ('O', 'A') AND e.evtevent <> 'login'
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_event_trigger'::regclass AND objid = e.oid AND deptype = 'e')
  ORDER BY e.evtname`;

/** Event triggers whose function has one of these names, in any schema. */
export const eventTriggersCalling = (functions: readonly string[]): string => /* sql */ `
  SELECT e.evtname AS name, p.oid::regprocedure::text AS function FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid
  WHERE e.evtenabled <> 'D' AND p.proname = ANY (ARRAY[${functions.map(literal).join(', ')}]::name[]) ORDER BY e.evtname LIMIT 1`;
