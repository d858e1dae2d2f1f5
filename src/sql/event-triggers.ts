import { literal } from './identifiers.ts';

/** Event triggers whose function has one of these names, whatever its schema. */
export const eventTriggersCalling = (functions: readonly string[]): string => /* sql */ `
  SELECT e.evtname AS name, p.oid::regprocedure::text AS function FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid
  WHERE e.evtenabled <> 'D' AND p.proname = ANY (ARRAY[${functions.map(literal).join(', ')}]::name[]) ORDER BY e.evtname LIMIT 1`;
