/** What belongs at the destination, and what decides that. */
import type { TableSettings } from '../../config/settings.ts';
import type { LeftOutReason, NamedObject } from '../../reasons.ts';
import type { TableName } from '../../schema/names.ts';
import type { ObjectColumn, TableObjects } from '../../schema/table-objects.ts';

export interface WantedIndex {
  readonly kind: 'index' | 'primary key' | 'unique constraint';
  /** The name at the source. */
  readonly name: string;
  readonly isUnique: boolean;
  /** After USING, with the columns of the destination. */
  readonly definition: string;
  /** What ALTER TABLE ADD CONSTRAINT needs for a constraint: its DEFERRABLE. */
  readonly deferrable: string;
  readonly hash: string;
}

export interface WantedConstraint {
  readonly kind: 'check constraint' | 'foreign key';
  readonly name: string;
  readonly definition: string;
  /** False if it is NOT VALID at the source. */
  readonly isValid: boolean;
  /** Of a foreign key, at the destination. */
  readonly parent: TableName | undefined;
  readonly hash: string;
}

export interface WantedDefault {
  readonly kind: 'default';
  /** The column at the destination. */
  readonly name: string;
  readonly expression: string;
  readonly hash: string;
}

export type WantedObject = WantedIndex | WantedConstraint | WantedDefault;

export interface LeftOutObject extends NamedObject {
  readonly reason: LeftOutReason;
}

export interface WantedObjects {
  readonly wanted: readonly WantedObject[];
  readonly leftOut: readonly LeftOutObject[];
}

export type ObjectSettings = Pick<
  TableSettings,
  'indexes' | 'constraints' | 'mode' | 'selection' | 'metadataColumns' | 'deletes' | 'isEnabled'
>;

/** A table of the pipeline that a foreign key may refer to. */
export interface Referable extends ObjectSettings {
  readonly source: TableName;
  readonly destinationName: TableName;
}

export interface ObjectFacts {
  readonly settings: ObjectSettings;
  readonly source: TableObjects;
  /** Of the destination table. */
  readonly columns: readonly ObjectColumn[];
  /** All tables of the pipeline. */
  readonly tables: readonly Referable[];
}
