/** How much of a table is loaded at once, as people write it. */

/** Either is met as nearly as whole pages allow. */
export type ChunkSize = { readonly bytes: number } | { readonly rows: number };

const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  kB: 2 ** 10,
  MB: 2 ** 20,
  GB: 2 ** 30,
  TB: 2 ** 40,
};

/** Units as Postgres has them in its settings; nine digits stay exact in every one of them. */
export const CHUNK_PATTERN = /^([1-9]\d{0,8}) ?(kB|MB|GB|TB)$|^([1-9]\d{0,14}) rows$/;

/** What to tell someone whose size was not understood. */
export const CHUNK_FORMS =
  'a size such as "512MB" or "1GB" (units kB, MB, GB, TB), or a number of rows such as "5000000 rows"';

/** Undefined where the value is neither. */
export function parseChunkSize(value: string | number): ChunkSize | undefined {
  if (typeof value === 'number')
    return Number.isSafeInteger(value) && value > 0 ? { rows: value } : undefined;
  const [, count, unit, rows] = CHUNK_PATTERN.exec(value) ?? [];
  if (rows !== undefined) return { rows: Number(rows) };
  return count === undefined ? undefined : { bytes: Number(count) * (BYTES_PER_UNIT[unit ?? ''] ?? 1) };
}
