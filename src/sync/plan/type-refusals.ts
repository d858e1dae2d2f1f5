/** Types of a table that increp cannot create or write at the destination, and how to fix that. Pure. */
import { IncrepError } from '../../errors.ts';
import { carriedType } from '../../schema/columns.ts';
import { printName } from '../../schema/names.ts';
import type { NativeType } from '../../schema/native-types.ts';
import type { RangeDetail, TypeDefinition, TypeReference } from '../../schema/type-definitions.ts';
import { ident, literal } from '../../sql/identifiers.ts';
import { grantUsage } from '../../sql/types.ts';
import type { TableFacts } from '../facts/facts.ts';
import { additionsTo, canBeMade, printHome, statementsForMissing } from './type-changes.ts';

/** Errors with the same next step are reported once, because one step creates all missing types. */
export function typeRefusals(now: TableFacts): IncrepError[] {
  const { types } = now.natives;
  const all = [refusalOfVersion(now), ...types.map((type) => refusalOfType(now, type)), keyRefusal(now)];
  const found = all.filter((error) => error !== undefined);
  return found.filter(({ next }, index) => found.findIndex((other) => other.next === next) === index);
}

/** PostgreSQL 15 introduced numeric scales below zero and above the precision. */
function refusalOfVersion({ source, sourceName, natives, servers }: TableFacts): IncrepError | undefined {
  if (servers.destination.version >= 150000) return undefined;
  const column = source?.columns.find((candidate) => {
    const [, precision, scale] = /^numeric\((\d+),(-?\d+)\)/.exec(carriedType(candidate, natives)) ?? [];
    return Number(scale) < 0 || Number(scale) > Number(precision);
  });
  return (
    column &&
    new IncrepError('TYPE_UNSUPPORTED', {
      what: `column "${column.name}" of ${printName(sourceName)} is ${column.type}, which the destination's version of Postgres does not support`,
      next: 'Upgrade the destination to PostgreSQL 15 or later, or change the scale of the column at the source.',
    })
  );
}

const TEXT = 'set "types" to "text" for this table';

function refusalOfType(now: TableFacts, type: NativeType): IncrepError | undefined {
  if (type.verdict.kind === 'incomparable') return incomparable(now, type);
  if (type.verdict.kind === 'differs') return differs(now, type);
  if (type.verdict.kind === 'missing') return missing(now, type);
  return notOurs(now, type);
}

const inColumn = ({ sourceName }: TableFacts, { column }: NativeType): string =>
  `column "${column}" of ${printName(sourceName)}`;

const printSource = ({ source }: NativeType): string => `${source.schema}.${source.name}`;

function incomparable(now: TableFacts, type: NativeType): IncrepError {
  const why =
    type.source.kind === 'base type'
      ? 'a base type of no extension, which increp cannot compare with a type of the destination'
      : 'the row type of a table or view, which exists only together with it';
  return new IncrepError('TYPE_UNSUPPORTED', {
    what: `${inColumn(now, type)} uses ${printSource(type)}, ${why}`,
    next: `To copy its values as text, ${TEXT}.`,
  });
}

function differs(now: TableFacts, type: NativeType): IncrepError {
  const { source, found } = type;
  const [here, there] = [describeType(source), found ? describeType(found) : ''];
  return new IncrepError('TYPE_MISMATCH', {
    what: `${inColumn(now, type)} needs the type ${printHome(type)}, which differs between the two sides: it is ${there} at the destination, and ${here} at the source`,
    next: source.range
      ? `Postgres cannot alter a range type. If nothing uses it at the destination, drop it there and create it as at the source. If the default collations of the two databases differ, name its collation. Or ${TEXT}.`
      : `Make the two types equal by ALTER ${source.kind === 'domain' ? 'DOMAIN' : 'TYPE'} on either side (other tables may use the type), or ${TEXT}.`,
  });
}

const printPart = ({ name, type }: { name: string; type: TypeReference }): string =>
  name === '' ? type.printed : `${ident(name)} ${type.printed}`;

function describeType(type: TypeDefinition): string {
  if (type.kind === 'enum') return `an enum of ${type.labels.map(literal).join(', ')}`;
  const parts = type.parts.map(printPart).join(', ');
  if (type.kind === 'domain')
    return [`a domain over ${parts}`, ...(type.isNotNull ? ['NOT NULL'] : []), ...type.checks].join(' ');
  if (type.kind === 'composite type') return `a composite type of (${parts})`;
  return type.kind === 'base type'
    ? 'a base type'
    : `a ${type.kind} over ${parts}${describeRange(type.range)}`;
}

function describeRange(range: RangeDetail | null): string {
  if (!range) return '';
  const { multirange, ...rest } = range;
  const details = [
    `operator class ${rest.opclass}`,
    ...(rest.order === null ? [] : [`${rest.collation ?? 'default'} collation (${rest.order})`]),
    ...(rest.canonical === null ? [] : [`canonical function ${rest.canonical}`]),
    ...(rest.subtypeDiff === null ? [] : [`subtype_diff ${rest.subtypeDiff}`]),
    `multirange ${multirange.schema}.${multirange.name}`,
  ];
  return ` (${details.join(', ')})`;
}

function missing(now: TableFacts, type: NativeType): IncrepError | undefined {
  const statements = statementsForMissing(now.natives);
  const next =
    statements === undefined
      ? `It needs functions in C, or an operator class or collation of your own. Create these at the destination first, or ${TEXT}.`
      : `At the destination, run: ${statements}; or ${TEXT}.`;
  if (!canBeMade(type)) {
    return new IncrepError('TYPE_UNSUPPORTED', {
      what: `${inColumn(now, type)} needs the ${type.source.kind} ${printHome(type)}, which the destination does not have and increp does not create`,
      next,
    });
  }
  if (mayCreateIn(now, type.home.schema)) return undefined;
  return new IncrepError('PRIVILEGE_MISSING', {
    what: `${inColumn(now, type)} needs the ${type.source.kind} ${printHome(type)}, which the destination does not have, and role "${now.destinationSchema.role}" may not create it in that schema`,
    next,
  });
}

/** increp creates the schema of the destination table if it is missing, and no other schema. */
function mayCreateIn(
  { natives, destinationName, destinationSchema: access }: TableFacts,
  schema: string,
): boolean {
  if (schema === destinationName.schema && !access.exists) return access.canCreateSchema;
  return natives.schemas.some((each) => each.schema === schema && each.canCreate);
}

function notOurs(now: TableFacts, type: NativeType): IncrepError | undefined {
  const { found, verdict, home } = type;
  const { role } = now.destinationSchema;
  if (found?.canUse === false) {
    return new IncrepError('PRIVILEGE_MISSING', {
      what: `${inColumn(now, type)} needs the type ${printHome(type)}, which role "${role}" may not use at the destination`,
      next: `At the destination, run: GRANT USAGE ON SCHEMA ${ident(home.schema)} TO ${ident(role)}; ${grantUsage(home, role)}; or ${TEXT}.`,
    });
  }
  if (verdict.kind !== 'lacks-labels' || found?.isOwned !== false) return undefined;
  return new IncrepError('PRIVILEGE_MISSING', {
    what: `${inColumn(now, type)} needs labels that the enum ${printHome(type)} lacks at the destination, and role "${role}" does not own that enum`,
    next: `At the destination, run: ${additionsTo(type).join('; ')}; or ${TEXT}.`,
  });
}

/**
 * increp compares unique keys with the `=` operators of pg_catalog. A type of an extension has an `=` of its own. This
 * may treat different values as equal (citext), and is not found under an empty search_path.
 */
function keyRefusal({ natives, settings, source, sourceName }: TableFacts): IncrepError | undefined {
  const column = source?.columns.find(
    ({ name, type }) =>
      settings.mergeKey.includes(name) &&
      natives.carried.has(type) &&
      natives.types.some(
        (native) => native.source.kind === 'base type' && isMadeOf(type, native.source, natives.types),
      ),
  );
  return (
    column &&
    new IncrepError('KEY_TYPE_UNSUPPORTED', {
      what: `"${column.name}" of ${printName(sourceName)} is ${column.type}, whose "=" may treat different values as equal, so it cannot identify a row`,
      next: `To use its text instead, ${TEXT}. Or choose other columns in "unique_cols".`,
    })
  );
}

/** Follows domains only, because an array or a composite value is compared as a whole. */
function isMadeOf(type: string, base: TypeDefinition, types: readonly NativeType[]): boolean {
  const isOfBase = type === base.printed || type.startsWith(`${base.printed}(`);
  if (isOfBase && !type.endsWith('[]')) return true;
  const domain = types.find(({ source }) => source.kind === 'domain' && source.printed === type)?.source;
  const part = domain?.parts[0]?.type;
  return part !== undefined && isMadeOf(part.suffix.startsWith('[') ? '' : part.printed, base, types);
}
