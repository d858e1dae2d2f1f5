/** Which types cannot be carried as it is asked for, by table and column, and what to do about it: pure. */
import { IncrepError } from '../../errors.ts';
import { carriedType } from '../../schema/columns.ts';
import { printName } from '../../schema/names.ts';
import type { NativeType } from '../../schema/native-types.ts';
import type { RangeDetail, TypeDefinition, TypeReference } from '../../schema/type-definitions.ts';
import { ident, literal } from '../../sql/identifiers.ts';
import { grantUsage } from '../../sql/types.ts';
import type { TableFacts } from '../facts/facts.ts';
import { additionsTo, canBeMade, printHome, statementsForMissing } from './type-changes.ts';

/** What one step puts right is told once: types that are missing are made all together. */
export function typeRefusals(now: TableFacts): IncrepError[] {
  const { types } = now.natives;
  const all = [refusalOfVersion(now), ...types.map((type) => refusalOfType(now, type)), keyRefusal(now)];
  const found = all.filter((error) => error !== undefined);
  return found.filter(({ next }, index) => found.findIndex((other) => other.next === next) === index);
}

/** Scales below zero, and above the precision, came with version 15. */
function refusalOfVersion({ source, sourceName, natives, servers }: TableFacts): IncrepError | undefined {
  if (servers.destination.version >= 150000) return undefined;
  const column = source?.columns.find((candidate) => {
    const [, precision, scale] = /^numeric\((\d+),(-?\d+)\)/.exec(carriedType(candidate, natives)) ?? [];
    return Number(scale) < 0 || Number(scale) > Number(precision);
  });
  return (
    column &&
    new IncrepError('TYPE_UNSUPPORTED', {
      what: `column "${column.name}" of ${printName(sourceName)} is ${column.type}, which the destination's version of Postgres does not have`,
      next: 'Bring the destination to PostgreSQL 15 or newer, or give the column another scale at the source.',
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
      ? 'a base type outside of any extension, which cannot be compared with one of the destination'
      : 'the row type of a table or view, which belongs to that alone';
  return new IncrepError('TYPE_UNSUPPORTED', {
    what: `${inColumn(now, type)} is made of ${printSource(type)}, ${why}`,
    next: `Its values travel as text: ${TEXT}.`,
  });
}

function differs(now: TableFacts, type: NativeType): IncrepError {
  const { source, found } = type;
  const [here, there] = [describe(source), found ? describe(found) : ''];
  return new IncrepError('TYPE_MISMATCH', {
    what: `${inColumn(now, type)} needs the type ${printHome(type)} of the destination, which is not what it is at the source: there it is ${there}, at the source ${here}`,
    next: source.range
      ? `Nothing alters a range type: drop it at the destination, where nothing uses it, and make it as it is at the source, with a collation by name where the defaults of the two databases differ; or ${TEXT}.`
      : `Make them alike by ALTER ${source.kind === 'domain' ? 'DOMAIN' : 'TYPE'} on either side (other tables may use it), or ${TEXT}.`,
  });
}

const printPart = ({ name, type }: { name: string; type: TypeReference }): string =>
  name === '' ? type.printed : `${ident(name)} ${type.printed}`;

function describe(type: TypeDefinition): string {
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
      ? `It takes functions in C, or an operator class or collation of your own, which have to be made at the destination first; or ${TEXT}.`
      : `At the destination, run: ${statements}; or ${TEXT}.`;
  if (!canBeMade(type)) {
    return new IncrepError('TYPE_UNSUPPORTED', {
      what: `${inColumn(now, type)} needs the ${type.source.kind} ${printHome(type)}, which the destination does not have and increp does not make`,
      next,
    });
  }
  if (mayCreateIn(now, type.home.schema)) return undefined;
  return new IncrepError('PRIVILEGE_MISSING', {
    what: `${inColumn(now, type)} needs the ${type.source.kind} ${printHome(type)}, which the destination does not have, and role "${now.destinationSchema.role}" may not make it in that schema`,
    next,
  });
}

/** The destination's own schema is made by us where it is missing; any other one is not ours to make. */
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
    what: `${inColumn(now, type)} needs labels that the enum ${printHome(type)} lacks at the destination, and role "${role}" does not own it`,
    next: `At the destination, run: ${additionsTo(type).join('; ')}; or ${TEXT}.`,
  });
}

/**
 * Rows are told apart by `=` of Postgres itself. A type of an extension brings its own, which may call values equal
 * that are not the same (citext), and is not even found under an empty search_path.
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
      what: `"${column.name}" of ${printName(sourceName)} is ${column.type}, whose own "=" may call different values equal, so it cannot identify a row as it is`,
      next: `As text it can: ${TEXT}, or choose other columns in "unique_cols".`,
    })
  );
}

/** Through domains only: an array or a row of them is compared as a whole. */
function isMadeOf(type: string, base: TypeDefinition, types: readonly NativeType[]): boolean {
  const isOfBase = type === base.printed || type.startsWith(`${base.printed}(`);
  if (isOfBase && !type.endsWith('[]')) return true;
  const domain = types.find(({ source }) => source.kind === 'domain' && source.printed === type)?.source;
  const part = domain?.parts[0]?.type;
  return part !== undefined && isMadeOf(part.suffix.startsWith('[') ? '' : part.printed, base, types);
}
