/** What a merge is to do, in a few lines of plain code; test/db/merge-model.test.ts holds the SQL to it. */

/** Values as Postgres prints them. `part` is a numeric: 1.0 and 1.00 are one merge key and two values. */
export interface ModelRow {
  readonly name: string;
  readonly part: string | null;
  readonly version: number | null;
  readonly amount: string | null;
  readonly note: string | null;
  readonly doc: string | null;
}

export const MODEL_COLUMNS = ['name', 'part', 'version', 'amount', 'note', 'doc'] as const;

export interface ModelCounts {
  inserted: number;
  updated: number;
  deleted: number;
  /** Rows of a window that an entirely or partly newer one with the same merge key leaves out. */
  older: number;
  /** Rows of the table that are left alone because they are newer. */
  newer: number;
}

export interface ModelRules {
  readonly isSoftDelete: boolean;
  /** Every version of a row is kept. */
  readonly isHistory: boolean;
  /** A newer row of the table stays. */
  readonly yieldsToNewer: boolean;
}

interface Kept {
  readonly row: ModelRow;
  readonly isDeleted: boolean;
}

export class MergeModel {
  readonly #rows = new Map<string, Kept>();
  readonly #rules: ModelRules;

  constructor(rules: ModelRules) {
    this.#rules = rules;
  }

  /** `isWhole`: what the batch lacks is gone. */
  apply(batch: readonly ModelRow[], isWhole: boolean): ModelCounts {
    const newest = new Map<string, ModelRow>();
    for (const row of batch) {
      const key = this.#keyOf(row);
      const rival = newest.get(key);
      if (!rival || isNewer(row, rival)) newest.set(key, row);
    }
    const counts = { inserted: 0, updated: 0, deleted: 0, older: batch.length - newest.size, newer: 0 };
    if (isWhole) counts.deleted = this.#removeAllBut(newest);
    for (const [key, row] of newest) {
      const kept = this.#rows.get(key);
      if (kept && this.#rules.yieldsToNewer && versionOf(kept.row) > versionOf(row)) {
        counts.newer += 1;
        continue;
      }
      if (!kept) counts.inserted += 1;
      else if (kept.isDeleted || imageOf(kept.row) !== imageOf(row)) counts.updated += 1;
      this.#rows.set(key, { row, isDeleted: false });
    }
    return counts;
  }

  #keyOf(row: ModelRow): string {
    return this.#rules.isHistory ? JSON.stringify([keyOf(row), row.version]) : keyOf(row);
  }

  #removeAllBut(present: ReadonlyMap<string, ModelRow>): number {
    const gone = [...this.#rows].filter(([key, { isDeleted }]) => !present.has(key) && !isDeleted);
    for (const [key, { row }] of gone) {
      if (this.#rules.isSoftDelete) this.#rows.set(key, { row, isDeleted: true });
      else this.#rows.delete(key);
    }
    return gone.length;
  }

  /** Comparable with what a query gives, sorted. */
  images(): string[] {
    return [...this.#rows.values()].map(({ row, isDeleted }) => imageOf(row, isDeleted)).toSorted();
  }
}

export const imageOf = (row: ModelRow, isDeleted = false): string =>
  JSON.stringify([...MODEL_COLUMNS.map((name) => row[name]), isDeleted]);

const keyOf = ({ name, part }: ModelRow): string =>
  JSON.stringify([name, part === null ? null : Number(part)]);

const versionOf = ({ version }: ModelRow): number => version ?? -Infinity;

function isNewer(row: ModelRow, rival: ModelRow): boolean {
  const [version, other] = [versionOf(row), versionOf(rival)];
  return version === other
    ? Buffer.compare(Buffer.from(recordText(row)), Buffer.from(recordText(rival))) > 0
    : version > other;
}

/** As record_out prints it. */
const recordText = (row: ModelRow): string =>
  `(${MODEL_COLUMNS.map((name) => fieldText(row[name])).join(',')})`;

function fieldText(value: string | number | null): string {
  if (value === null) return '';
  const text = String(value);
  return /^$|[\s",()\\]/.test(text) ? `"${text.replaceAll(/["\\]/g, (mark) => mark + mark)}"` : text;
}
