/** The size of the chunks in which a table is loaded, as users write it. */

/** Both are met as closely as whole pages allow. */
export type ChunkSize = { readonly bytes: number } | { readonly rows: number };

const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  kB: 2 ** 10,
  MB: 2 ** 20,
  GB: 2 ** 30,
  TB: 2 ** 40,
};

/** The units of Postgres. Nine digits are exact in each of them. */
export const CHUNK_PATTERN = /^([1-9]\d{0,8}) ?(kB|MB|GB|TB)$|^([1-9]\d{0,14}) rows$/;

/** The allowed forms, for messages about an invalid size. */
export const CHUNK_FORMS =
  'a size such as "512MB" or "1GB" (units kB, MB, GB, TB), or a number of rows such as "5000000 rows"';

/** Undefined if the value is neither a size nor a number of rows. */
export function parseChunkSize(value: string | number): ChunkSize | undefined {
  if (typeof value === 'number')
    return Number.isSafeInteger(value) && value > 0 ? { rows: value } : undefined;
  const [, count, unit, rows] = CHUNK_PATTERN.exec(value) ?? [];
  if (rows !== undefined) return { rows: Number(rows) };
  return count === undefined ? undefined : { bytes: Number(count) * (BYTES_PER_UNIT[unit ?? ''] ?? 1) };
}
