/**
 * A column gets another type, and the table keeps rows that the source no longer has. Their values must survive: the
 * conversion must lose nothing, and it must be the conversion that the source has made.
 */
import type pg from 'pg';
import { IncrepError } from '../../errors.ts';
import { formatCounted } from '../../format.ts';
import { codeOf } from '../../postgres/identity.ts';
import { derivedName, printName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import { isWidening } from '../../schema/widening.ts';
import { tableCommand } from '../../shell-word.ts';
import { countConvertedOtherwise, isLossy, type Conversion } from '../../sql/conversion.ts';
import { countRows } from '../../sql/gone-rows.ts';
import { ident, qualified } from '../../sql/identifiers.ts';
import type { TableFacts } from '../facts/facts.ts';
import { extensionFor } from '../plan/reload-guard.ts';
import { countUnstaged, queryCount } from './removed-rows.ts';

/** The changes of type that an ALTER TABLE of the kept table needs. */
export const conversionsOf = (facts: TableFacts, source: Relation): readonly Conversion[] => {
  const { retyped = [] } = extensionFor(facts, source);
  return retyped.flatMap(({ name, to }) => {
    const from = facts.destination?.columns.find((column) => column.name === name)?.type;
    return from === undefined ? [] : [{ name, from, to }];
  });
};

const risky = (conversions: readonly Conversion[]): readonly Conversion[] =>
  conversions.filter(({ from, to }) => !isWidening(from, to));

/**
 * Runs before any row is read from the source. Returns the columns of which some values would change, with their
 * numbers of rows: only the load shows whether the source still has these rows.
 * @throws IncrepError SCHEMA_CHANGE_REFUSED if the server cannot convert a value
 */
export async function ensureConvertible(
  client: pg.ClientBase,
  facts: TableFacts,
  conversions: readonly Conversion[],
): Promise<readonly { readonly name: string; readonly rows: number }[]> {
  const changed = [];
  for (const conversion of risky(conversions)) {
    const rows = await countLossy(client, facts, conversion);
    if (rows > 0) changed.push({ name: conversion.name, rows });
  }
  return changed;
}

async function countLossy(client: pg.ClientBase, facts: TableFacts, conversion: Conversion): Promise<number> {
  await client.query('SAVEPOINT increp_convert');
  try {
    const rows = await queryCount(client, countRows(facts.destinationName, [isLossy(conversion)]));
    await client.query('RELEASE SAVEPOINT increp_convert');
    return rows;
  } catch (error) {
    const code = codeOf(error);
    if (typeof code !== 'string' || !/^(22|42)/.test(code) || !(error instanceof Error)) throw error;
    await client.query('ROLLBACK TO SAVEPOINT increp_convert; RELEASE SAVEPOINT increp_convert');
    throw refusal(facts, conversion, `the server cannot convert its values (${error.message})`, {
      cause: error,
    });
  }
}

/** Runs when the staging table is complete, before the ALTER. @throws IncrepError SCHEMA_CHANGE_REFUSED */
export async function ensureNothingLost(
  client: pg.ClientBase,
  facts: TableFacts,
  source: Relation,
): Promise<void> {
  for (const conversion of risky(conversionsOf(facts, source))) {
    const rows = await countUnstaged(client, facts, source, [isLossy(conversion)]);
    if (rows > 0)
      throw refusal(
        facts,
        conversion,
        `that would change the value in ${formatCounted(rows, 'row')} that the source no longer has`,
        { expression: `${ident(conversion.name)}::${conversion.to}` },
      );
  }
}

/**
 * Runs after the ALTER and before the merge. The source may have converted the values by another expression (USING).
 * Rows that it still has show that. @throws IncrepError SCHEMA_CHANGE_REFUSED
 */
export async function ensureConvertedAlike(
  client: pg.ClientBase,
  facts: TableFacts,
  source: Relation,
): Promise<void> {
  const { settings, destinationName: table, stagingName: staging } = facts;
  const { replicationKey, mergeKey } = settings;
  if (replicationKey === undefined || !source.columns.some(({ name }) => name === replicationKey)) return;
  const key = mergeKey.map((name) => ({
    name,
    isNullable: source.columns.find((column) => column.name === name)?.isNotNull === false,
  }));
  for (const conversion of conversionsOf(facts, source)) {
    const sql = countConvertedOtherwise({
      table,
      staging,
      mergeKey: key,
      replicationKey,
      column: conversion.name,
    });
    const rows = await queryCount(client, sql);
    if (rows > 0)
      throw refusal(
        facts,
        conversion,
        `the source has other values than this conversion gives (${formatCounted(rows, 'row')}), so it cannot be right for rows that the source no longer has`,
      );
  }
}

/** Undefined `expression`: increp does not know which expression is right. */
function refusal(
  { destinationName, settings: { name: label, mergeKey } }: TableFacts,
  { name, from, to }: Conversion,
  why: string,
  { expression, cause }: { readonly expression?: string; readonly cause?: Error } = {},
): IncrepError {
  const [table, column, old] = [qualified(destinationName), ident(name), ident(derivedName(name, '_old'))];
  return new IncrepError('SCHEMA_CHANGE_REFUSED', {
    what: `column "${name}" of ${printName(destinationName)} is ${from} and must be ${to}, and the table keeps rows that the source no longer has: ${why}; nothing was changed`,
    next: [
      expression === undefined
        ? `Convert the values with the expression (<...>) that is right for them. At the destination, run: ALTER TABLE ${table} ALTER COLUMN ${column} TYPE ${to} USING <${column}>.`
        : `If these values may change, run at the destination: ALTER TABLE ${table} ALTER COLUMN ${column} TYPE ${to} USING ${expression}.`,
      ...(mergeKey.includes(name)
        ? []
        : [
            `Or keep the former values in a column of their own: ALTER TABLE ${table} RENAME COLUMN ${column} TO ${old}; ALTER TABLE ${table} ALTER COLUMN ${old} DROP NOT NULL.`,
          ]),
      `Then run "${tableCommand('sync', label)}".`,
    ].join(' '),
    cause,
  });
}
