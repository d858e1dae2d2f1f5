/** The statements that give the role of increp what it lacks at the destination. */
import { expect, test } from 'vitest';
import { neededStatements, type Rights } from '../../../src/sequences/missing-rights.ts';

const table: Rights = {
  ...{ name: { schema: 'public', table: 'orders' }, isSequence: false, role: 'loader' },
  ...{ canUseSchema: true, canCreate: true, canSelect: true, canUpdate: true, isOwner: true },
};
const sequence: Rights = {
  ...table,
  name: { schema: 'public', table: 'orders_id_seq' },
  isSequence: true,
};
const theirs = { isOwner: false, canSelect: false, canUpdate: false };

const ORDERS = { schema: 'public', table: 'orders' };
const GRANT_TABLE = 'GRANT SELECT ON "public"."orders" TO "loader"';
const GRANT_SEQUENCE = 'GRANT SELECT, UPDATE ON SEQUENCE "public"."orders_id_seq" TO "loader"';

test.each([
  ['nothing', [table, sequence], undefined, []],
  ['the table', [{ ...table, ...theirs }, sequence], undefined, [GRANT_TABLE]],
  ['the sequence', [table, { ...sequence, ...theirs }], undefined, [GRANT_SEQUENCE]],
  [
    'both, once each',
    [
      { ...table, ...theirs },
      { ...table, ...theirs },
      { ...sequence, ...theirs },
    ],
    undefined,
    [GRANT_TABLE, GRANT_SEQUENCE],
  ],
  [
    'the schema',
    [{ ...table, canUseSchema: false }],
    undefined,
    ['GRANT USAGE ON SCHEMA "public" TO "loader"'],
  ],
  [
    'a new sequence of a table of another role',
    [{ ...table, isOwner: false, canCreate: false }],
    ORDERS,
    ['GRANT CREATE ON SCHEMA "public" TO "loader"', 'ALTER TABLE "public"."orders" OWNER TO "loader"'],
  ],
] as const)('what is missing: %s', (_what, rights, createdFor, expected) => {
  expect(neededStatements(rights, createdFor)).toEqual(expected);
});
