/** What `types: "native"` makes at the destination: pure. */
import type { Difference, Reason } from '../../reasons.ts';
import { isHarmlessCheck } from '../../schema/domain-checks.ts';
import type { NativeType, NativeTypes } from '../../schema/native-types.ts';
import { homeOf, printType } from '../../schema/native-types.ts';
import { ident } from '../../sql/identifiers.ts';
import {
  addLabel,
  createComposite,
  createDomain,
  createEnum,
  createExtension,
  createRange,
} from '../../sql/types.ts';

export const printHome = ({ home }: Pick<NativeType, 'home'>): string => `${home.schema}.${home.name}`;

/** Enums, and domains whose constraints only compare. All else is for a person to make. */
export const canBeMade = ({ source }: NativeType): boolean =>
  source.extension === null &&
  (source.kind === 'enum' || (source.kind === 'domain' && source.checks.every(isHarmlessCheck)));

/** The statement that makes it, also where that is left to a person. */
export function creationOf({ source, home }: NativeType, natives: NativeTypes): string {
  if (source.extension !== null) return createExtension(source.extension);
  const parts = source.parts.map(({ name, type }) => ({ name, type: printType(type, natives.types) }));
  const part = parts[0]?.type ?? '';
  if (source.kind === 'enum') return createEnum(home, source.labels);
  if (source.kind === 'domain') return createDomain(home, part, source.isNotNull, source.checks);
  if (source.kind === 'composite type') return createComposite(home, parts);
  if (!source.range) throw new Error(`${printHome({ home })} is no range and was about to be made as one`);
  const { opclass, isDefaultOpclass, collation, subtypeDiff, multirange } = source.range;
  return createRange(home, {
    subtype: part,
    opclass: isDefaultOpclass ? undefined : opclass,
    collation: collation ?? undefined,
    subtypeDiff: subtypeDiff ?? undefined,
    multirange: homeOf(multirange, natives.homes),
  });
}

/** What text alone cannot make: functions in C and what needs them, and operator classes of people. */
const isBeyondText = ({ source: { range, functions } }: NativeType): boolean =>
  functions.some(({ definition }) => definition === null) ||
  (range !== null &&
    (range.canonical !== null || !/^pg_catalog[.]/.test(range.opclass) || isOfPeople(range.collation)));

const isOfPeople = (name: string | null): boolean => name !== null && !/^pg_catalog[.]/.test(name);

/**
 * All that the destination lacks of the types of a table, for a person to run, in the order in which one is made of the
 * other; undefined where statements cannot make it.
 */
export function statementsForMissing(natives: NativeTypes): string | undefined {
  const lacking = natives.types.filter(({ verdict }) => verdict.kind === 'missing');
  if (lacking.some(isBeyondText)) return undefined;
  const statements = lacking.flatMap((type) => [
    ...(type.source.extension === null && !natives.schemas.some(({ schema }) => schema === type.home.schema)
      ? [`CREATE SCHEMA IF NOT EXISTS ${ident(type.home.schema)}`]
      : []),
    ...type.source.functions.flatMap(({ signature, definition }) =>
      definition === null || natives.functions.includes(signature) ? [] : [functionAnew(definition)],
    ),
    // A range brings its multirange along.
    ...(type.source.kind === 'multirange type' ? [] : [creationOf(type, natives)]),
  ]);
  return [...new Set(statements)].join('; ');
}

/** As the server prints it, but never in the place of one that is there, and on one line up to its body. */
function functionAnew(definition: string): string {
  const [head = '', ...body] = definition.trim().split(/(?=^AS |^BEGIN ATOMIC|^RETURN )/m);
  return [head.replace('CREATE OR REPLACE ', 'CREATE ').replace(/\s*\n\s*/g, ' '), ...body].join('');
}

/** Statements for the labels that an enum lacks. */
export const additionsTo = ({ home, verdict }: NativeType): string[] =>
  verdict.kind === 'lacks-labels' ? verdict.labels.map((label) => addLabel(home, label)) : [];

export const typeChangesOf = ({ types }: NativeTypes): Reason[] =>
  types.flatMap((type): Reason[] => {
    if (type.verdict.kind === 'missing')
      return [{ code: 'type-created', kind: type.source.kind, type: printHome(type) }];
    return type.verdict.kind === 'lacks-labels'
      ? [{ code: 'enum-labels-added', type: printHome(type), labels: labelsOf(type.verdict) }]
      : [];
  });

/** What "on_schema_change": "fail" refuses to change. */
export const typeDrift = ({ types }: NativeTypes): Difference[] =>
  types.flatMap((type) =>
    type.verdict.kind === 'lacks-labels'
      ? [{ code: 'enum-labels-missing', type: printHome(type), labels: labelsOf(type.verdict) }]
      : [],
  );

const labelsOf = ({ labels }: { readonly labels: readonly { readonly label: string }[] }): string[] =>
  labels.map(({ label }) => label);
