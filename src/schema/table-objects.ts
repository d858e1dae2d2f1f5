/** Indexes, constraints and defaults of a table, as the catalog of either side describes them. */
import type { TableName } from './names.ts';

export interface FoundIndex {
  readonly name: string;
  readonly isUnique: boolean;
  /** False for what is left of a CREATE INDEX CONCURRENTLY that failed. */
  readonly isValid: boolean;
  readonly comment: string | null;
  /** The definition after USING. Null if the server prints another form. */
  readonly definition: string | null;
  /** Its columns in their order, with the columns of INCLUDE, and as the server prints them. */
  readonly columns: readonly string[];
  readonly printed: readonly string[];
  /** All columns that it uses, also in expressions. */
  readonly uses: readonly string[];
  /** False with an expression or a condition. */
  readonly isPlain: boolean;
  /** The constraint that it belongs to. */
  readonly constraint: FoundKey | null;
}

export interface FoundKey {
  readonly name: string;
  readonly type: 'p' | 'u' | 'x';
  readonly isDeferrable: boolean;
  readonly isDeferred: boolean;
  readonly comment: string | null;
  /** The whole constraint, for messages. */
  readonly definition: string;
}

export interface FoundCheck {
  readonly name: string;
  readonly definition: string;
  readonly columns: readonly string[];
  readonly isValid: boolean;
  readonly comment: string | null;
}

export interface FoundForeignKey {
  readonly name: string;
  readonly columns: readonly string[];
  readonly parent: TableName;
  readonly parentColumns: readonly string[];
  /** The definition after the referenced columns. Null if the server prints another form. */
  readonly rest: string | null;
  readonly isValid: boolean;
  readonly comment: string | null;
}

export interface FoundDefault {
  readonly column: string;
  readonly expression: string;
  /** Whether it draws from a sequence. */
  readonly hasSequence: boolean;
}

export interface ObjectColumn {
  readonly name: string;
  readonly type: string;
}

export interface TableObjects {
  readonly name: TableName;
  /** pg_class.relkind. */
  readonly kind: string;
  readonly columns: readonly ObjectColumn[];
  readonly indexes: readonly FoundIndex[];
  readonly checks: readonly FoundCheck[];
  readonly foreignKeys: readonly FoundForeignKey[];
  readonly defaults: readonly FoundDefault[];
}
