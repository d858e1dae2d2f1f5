/** Types that `types: "native"` creates or extends at the destination. Pure. */
import type { Difference, Reason } from '../../reasons.ts';
import { isHarmlessCheck } from '../../schema/domain-checks.ts';
import type { NativeType, NativeTypes } from '../../schema/native-types.ts';
import { homeOf, printType } from '../../schema/native-types.ts';
import { schemaStatement } from '../../sql/destination.ts';
import {
  addLabel,
  createComposite,
  createDomain,
  createEnum,
  createExtension,
  createRange,
} from '../../sql/types.ts';

export const printHome = ({ home }: Pick<NativeType, 'home'>): string => `${home.schema}.${home.name}`;

/** increp creates enums, and domains whose constraints only compare. The user creates all other types. */
export const canBeMade = ({ source }: NativeType): boolean =>
  source.extension === null &&
  (source.kind === 'enum' || (source.kind === 'domain' && source.checks.every(isHarmlessCheck)));

/** The statement that creates the type. It is also shown to the user if increp does not create the type. */
export function creationOf({ source, home }: NativeType, natives: NativeTypes): string {
  if (source.extension !== null) return createExtension(source.extension);
  const parts = source.parts.map(({ name, type }) => ({ name, type: printType(type, natives.types) }));
  const part = parts[0]?.type ?? '';
  if (source.kind === 'enum') return createEnum(home, source.labels);
  if (source.kind === 'domain') return createDomain(home, part, source.isNotNull, source.checks);
  if (source.kind === 'composite type') return createComposite(home, parts);
  if (!source.range) throw new Error(`${printHome({ home })} is not a range type`);
  const { opclass, isDefaultOpclass, collation, subtypeDiff, multirange } = source.range;
  return createRange(home, {
    subtype: part,
    opclass: isDefaultOpclass ? undefined : opclass,
    collation: collation ?? undefined,
    subtypeDiff: subtypeDiff ?? undefined,
    multirange: homeOf(multirange, natives.homes),
  });
}

/** No statement can create functions in C or what needs them, nor operator classes and collations of the user. */
const needsMoreThanStatements = ({ source: { range, functions } }: NativeType): boolean =>
  functions.some(({ definition }) => definition === null) ||
  (range !== null &&
    (range.canonical !== null || !/^pg_catalog[.]/.test(range.opclass) || isUserDefined(range.collation)));

const isUserDefined = (name: string | null): boolean => name !== null && !/^pg_catalog[.]/.test(name);

/**
 * The statements that create all types that a table needs and the destination lacks, for the user to run. A type comes
 * after the types that it needs. Undefined if statements alone cannot create them.
 */
export function statementsForMissing(natives: NativeTypes): string | undefined {
  const lacking = natives.types.filter(({ verdict }) => verdict.kind === 'missing');
  if (lacking.some(needsMoreThanStatements)) return undefined;
  const statements = lacking.flatMap((type) => [
    ...(type.source.extension === null && !natives.schemas.some(({ schema }) => schema === type.home.schema)
      ? [schemaStatement(type.home.schema)]
      : []),
    ...type.source.functions.flatMap(({ signature, definition }) =>
      definition === null || natives.functions.includes(signature) ? [] : [createFunction(definition)],
    ),
    // CREATE TYPE of a range creates its multirange too.
    ...(type.source.kind === 'multirange type' ? [] : [creationOf(type, natives)]),
  ]);
  return [...new Set(statements)].join('; ');
}

/** The definition that the server prints, without OR REPLACE, and on one line up to its body. */
function createFunction(definition: string): string {
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

/** Type changes that "on_schema_change": "fail" refuses. */
export const typeDrift = ({ types }: NativeTypes): Difference[] =>
  types.flatMap((type) =>
    type.verdict.kind === 'lacks-labels'
      ? [{ code: 'enum-labels-missing', type: printHome(type), labels: labelsOf(type.verdict) }]
      : [],
  );

const labelsOf = ({ labels }: { readonly labels: readonly { readonly label: string }[] }): string[] =>
  labels.map(({ label }) => label);
