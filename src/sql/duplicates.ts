import { ident, identList, qualified } from './identifiers.ts';
import type { Merge } from './merge.ts';
import { nullSafeMatch } from './null-safe-match.ts';
import { EQUALS, GREATER } from './search-path.ts';

/**
 * Removes rows that were copied twice, because they moved between two chunks. The newest row stays. Duplicate keys
 * are found by key alone, and only their rows are sorted; keepNewest() sorts the whole table. `mayRepeatKeys`: the source itself may have several rows with one key;
 * then ties are broken as in a window.
 */
export function dropDuplicates(merge: Merge, mayRepeatKeys: boolean): string {
  const { staging, mergeKey, replicationKey, nullableKey } = merge;
  const matches = nullSafeMatch(
    mergeKey.map((name) => ({
      left: `s.${ident(name)}`,
      right: `d.${ident(name)}`,
      isNullable: nullableKey.includes(name),
    })),
  );
  const newest = replicationKey === undefined ? '' : `s.${ident(replicationKey)} DESC NULLS LAST, `;
  const tie = mayRepeatKeys ? '(s.*)::text COLLATE "C" DESC' : 's.ctid DESC';
  return /* sql */ `DELETE FROM ${qualified(staging)} t USING (
      SELECT s.ctid AS place, pg_catalog.row_number() OVER (
        PARTITION BY ${mergeKey.map((name) => `s.${ident(name)}`).join(', ')}
        ORDER BY ${newest}${tie}) AS rank
      FROM ${qualified(staging)} s JOIN (
        SELECT ${identList(mergeKey)} FROM ${qualified(staging)} GROUP BY ${identList(mergeKey)} HAVING pg_catalog.count(*) ${GREATER} 1::bigint
      ) d ON ${matches}) ranked
    WHERE t.ctid ${EQUALS} ranked.place AND ranked.rank ${GREATER} 1::bigint`;
}
