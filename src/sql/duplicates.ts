import { ident, identList, qualified } from './identifiers.ts';
import { keepNewest, type Merge } from './merge.ts';
import { EQUALS, GREATER } from './search-path.ts';

/**
 * Removes rows that were copied twice, because they moved between two chunks. The newest row stays. Duplicate keys
 * are found by key alone, and only their rows are sorted; keepNewest() sorts the whole table. A key that may be NULL
 * cannot be hashed, so it uses keepNewest(). `mayRepeatKeys`: the source itself may have several rows with one key;
 * then ties are broken as in a window.
 */
export function dropDuplicates(merge: Merge, mayRepeatKeys: boolean): string {
  const { staging, mergeKey, replicationKey, nullableKey } = merge;
  if (nullableKey.length > 0) return keepNewest(merge);
  const matches = mergeKey.map((name) => `s.${ident(name)} ${EQUALS} d.${ident(name)}`);
  const newest = replicationKey === undefined ? '' : `s.${ident(replicationKey)} DESC NULLS LAST, `;
  const tie = mayRepeatKeys ? '(s.*)::text COLLATE "C" DESC' : 's.ctid DESC';
  return /* sql */ `DELETE FROM ${qualified(staging)} t USING (
      SELECT s.ctid AS place, pg_catalog.row_number() OVER (
        PARTITION BY ${mergeKey.map((name) => `s.${ident(name)}`).join(', ')}
        ORDER BY ${newest}${tie}) AS rank
      FROM ${qualified(staging)} s JOIN (
        SELECT ${identList(mergeKey)} FROM ${qualified(staging)} GROUP BY ${identList(mergeKey)} HAVING pg_catalog.count(*) ${GREATER} 1::bigint
      ) d ON ${matches.join(' AND ')}) ranked
    WHERE t.ctid ${EQUALS} ranked.place AND ranked.rank ${GREATER} 1::bigint`;
}
