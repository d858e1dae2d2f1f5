/** Drops copied objects that refuse rows of the source, or its new shape. A copy must never cost a sync. */
import type pg from 'pg';
import type { TableSettings } from '../../config/settings.ts';
import { destinationOf } from '../../config/tables/table-mapping.ts';
import type { Failure } from '../../events.ts';
import { readObjects } from '../../postgres/table-objects.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';
import { queryUsually } from '../../postgres/user-search-path.ts';
import type { NamedObject, ObjectChange } from '../../reasons.ts';
import { distinctTables, isSameTable, tableKey, type TableName } from '../../schema/names.ts';
import { isShared } from '../../schema/row-identity.ts';
import type { TableObjects } from '../../schema/table-objects.ts';
import { removeConstraint } from '../../sql/table-objects.ts';
import type { RefusedObject } from '../../state/copied-objects-file.ts';
import type { RunContext } from '../context/run-context.ts';
import { dropWithConstraint } from './change-indexes.ts';
import { isOwn, type ObjectOwner } from './compare-objects.ts';
import { copiesObjects } from './copied-table.ts';
import { readMark } from './mark.ts';
import { kindOfIndex } from './planned-objects.ts';
import { lockTables } from './step-context.ts';

type ReleaseContext = Pick<RunContext, 'settings' | 'destination' | 'timing' | 'signal'>;

export interface Released {
  readonly changes: readonly ObjectChange[];
  readonly refused: readonly RefusedObject[];
}

/** Errors that a copied object can cause: it refuses a row, a value of a row, or another type. */
const isByObject = ({ code, sqlstate = '' }: Failure): boolean =>
  code === 'CONSTRAINT_VIOLATED' ||
  code === 'DEPENDENT_OBJECTS' ||
  sqlstate === SQLSTATE.programLimitExceeded;

/**
 * Whether the server may have refused a copied object without its name. It names everything that depends on a column
 * (2BP01), and the kind of an object that prevents a change of type (0A000). An error without SQLSTATE is from the plan.
 */
const isUnnamed = ({ sqlstate }: Failure): boolean =>
  sqlstate !== undefined &&
  sqlstate !== SQLSTATE.dependentObjectsStillExist &&
  sqlstate !== SQLSTATE.featureNotSupported;

interface OwnObject extends NamedObject {
  readonly table: TableName;
  readonly comment: string | null;
  readonly drop: (client: pg.ClientBase) => Promise<unknown>;
}

/** Returns what was dropped. Empty if no copied object can be the cause. */
export async function releaseCopies(
  context: ReleaseContext,
  settings: TableSettings,
  failure: Failure,
): Promise<Released> {
  const none = { changes: [], refused: [] };
  const { pipeline, destination: home, tables } = context.settings;
  const others = tables.filter((other) => other.constraints === 'copy' && other !== settings);
  if (!(copiesObjects(settings) || others.length > 0) || !isByObject(failure)) return none;
  const table = destinationOf(home, settings);
  const found = await readObjects(context.destination, [
    table,
    ...others.map((other) => destinationOf(home, other)),
  ]);
  const ownerOf = (each: TableSettings): ObjectOwner => ({ pipeline, isShared: isShared(each) });
  const own = [
    ...objectsOn(found.get(tableKey(table)), ownerOf(settings)),
    ...others.flatMap((other) =>
      foreignKeysOn(found.get(tableKey(destinationOf(home, other))), ownerOf(other), table),
    ),
  ];
  const isNamed = ({ name }: Pick<NamedObject, 'name'>) => failure.message.includes(name);
  const named = own.filter(isNamed);
  const isOurs = isUnnamed(failure) && !namesOf(found.get(tableKey(table))).some(isNamed);
  const released = named.length > 0 || !isOurs ? named : own;
  const [first, ...more] = distinctTables([table, ...released.map((each) => each.table)]);
  if (released.length === 0 || !first) return none;
  await context.destination.withWriting([], async (client) => {
    await lockTables(context, client, [first, ...more]);
    for (const { drop } of released) await drop(client);
  });
  const { message } = failure;
  return {
    changes: released.map(({ kind, name }) => ({ kind, name, change: 'released', message }) as const),
    // An object that is in the way of another type only can come back after the change of type. A foreign key can come back
    // when both tables are synced.
    refused:
      failure.code === 'DEPENDENT_OBJECTS'
        ? []
        : released
            .filter(({ kind }) => kind !== 'foreign key')
            .map((each) => ({
              table: tableKey(each.table),
              hash: readMark(each.comment)?.hash ?? '',
              message,
              at: new Date().toISOString(),
            })),
  };
}

/** With the objects of users. */
const namesOf = (there: TableObjects | undefined): readonly Pick<NamedObject, 'name'>[] =>
  there === undefined ? [] : [...there.foreignKeys, ...there.checks, ...there.indexes];

/** Foreign keys come first, because they depend on the unique index of the other table. */
const objectsOn = (there: TableObjects | undefined, owner: ObjectOwner): OwnObject[] =>
  there === undefined
    ? []
    : [
        ...foreignKeysOn(there, owner),
        ...there.checks
          .filter(({ comment }) => isOwn(comment, owner))
          .map(({ name, comment }) => constraintOn(there.name, 'check constraint', name, comment)),
        ...there.indexes
          .filter(({ comment }) => isOwn(comment, owner))
          .map((index) => ({
            kind: kindOfIndex(index.constraint?.type),
            name: index.name,
            table: there.name,
            comment: index.comment,
            drop: (client: pg.ClientBase) => dropWithConstraint(client, there.name, index),
          })),
      ];

/** `parent`: only those that refer to this table. */
const foreignKeysOn = (
  there: TableObjects | undefined,
  owner: ObjectOwner,
  parent?: TableName,
): OwnObject[] =>
  there === undefined
    ? []
    : there.foreignKeys
        .filter((key) => isOwn(key.comment, owner) && (!parent || isSameTable(key.parent, parent)))
        .map(({ name, comment }) => constraintOn(there.name, 'foreign key', name, comment));

const constraintOn = (
  table: TableName,
  kind: NamedObject['kind'],
  name: string,
  comment: string | null,
): OwnObject => ({
  kind,
  name,
  table,
  comment,
  drop: (client) => queryUsually(client, removeConstraint(table, name)),
});
