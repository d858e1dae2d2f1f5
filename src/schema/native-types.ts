/**
 * `types: "native"`: which type of the destination carries a user-defined type of the source. Pure.
 *
 * A type has its home where its table has its own: what lives in the source's schema is looked for in the
 * destination's, everything else in the schema of the same name, and a type of an extension wherever that extension
 * is installed.
 */
import { isServerBound, type Column, type NativeCarriers } from './columns.ts';
import type {
  DestinationTypes,
  FoundType,
  RangeDetail,
  SourceTypes,
  TypeDefinition,
  TypeReference,
} from './type-definitions.ts';

interface TypeName {
  readonly schema: string;
  readonly name: string;
}

/** Where a new label stands in an enum: behind one that is there, else before one, else alone. */
export interface NewLabel {
  readonly label: string;
  readonly after: string | undefined;
  readonly before: string | undefined;
}

export interface NativeType {
  /** The first column that needs it. */
  readonly column: string;
  readonly source: TypeDefinition;
  /** Where it is, or belongs, at the destination. */
  readonly home: TypeName;
  readonly found: FoundType | undefined;
  readonly verdict:
    | { readonly kind: 'alike' | 'missing' | 'differs' | 'incomparable' }
    | { readonly kind: 'lacks-labels'; readonly labels: readonly NewLabel[] };
}

export interface NativeTypes extends NativeCarriers {
  /** Every user-defined type behind the columns, each after those that it is made of. */
  readonly types: readonly NativeType[];
  readonly schemas: DestinationTypes['schemas'];
  /** Signatures of the functions behind the types that the destination has. */
  readonly functions: readonly string[];
  readonly homes: Homes;
}

/** The schema of the tables on each side. */
export interface Homes {
  readonly source: string;
  readonly destination: string;
}

export const NO_NATIVE_TYPES: NativeTypes = {
  carried: new Map(),
  types: [],
  schemas: [],
  functions: [],
  homes: { source: '', destination: '' },
};

export const homeOf = ({ schema, name }: TypeName, homes: Homes): TypeName => ({
  schema: schema === homes.source ? homes.destination : schema,
  name,
});

export function resolveNativeTypes(
  columns: readonly Column[],
  source: SourceTypes,
  destination: DestinationTypes,
  homes: Homes,
): NativeTypes {
  const needed = new Map<TypeDefinition, string>();
  const kept: TypeReference[] = [];
  for (const column of columns) {
    const reference = source.references.find(({ printed }) => printed === column.type);
    const family = reference && familyOf(reference, source.definitions);
    if (!reference || !family || namesServerObjects(family)) continue;
    for (const type of family) if (!needed.has(type)) needed.set(type, column.name);
    kept.push(reference);
  }
  const types = judgeTypes(
    [...needed].map(([type, column]) => ({ source: type, column })),
    destination,
    homes,
  );
  const carried = new Map(kept.map((reference) => [reference.printed, printType(reference, types)]));
  return { carried, types, schemas: destination.schemas, functions: destination.functions, homes };
}

/** In an order in which each type comes after those that it is made of. */
export function judgeTypes(
  needed: readonly Pick<NativeType, 'source' | 'column'>[],
  destination: DestinationTypes,
  homes: Homes,
): NativeType[] {
  const types: NativeType[] = [];
  for (const { source, column } of needed) {
    const found = destination.types.find((candidate) => isSameName(source, candidate, homes));
    const home = found ?? homeOf(source, homes);
    types.push({ column, source, home, found, verdict: verdictOn(source, found, types, homes) });
  }
  return types;
}

/** A use of a type as the destination prints it, or would print it. */
export function printType(reference: TypeReference, types: readonly NativeType[]): string {
  const type = types.find(
    ({ source: { schema, name } }) => schema === reference.schema && name === reference.name,
  );
  if (!type) return reference.printed;
  return `${type.found?.printed ?? `${quoted(type.home.schema)}.${quoted(type.home.name)}`}${reference.suffix}`;
}

/** The user-defined types behind a use of one, parts first; undefined for a built-in type. */
function familyOf(
  reference: TypeReference,
  definitions: readonly TypeDefinition[],
): readonly TypeDefinition[] | undefined {
  const family: TypeDefinition[] = [];
  const visit = ({ schema, name }: TypeReference): boolean => {
    const definition = definitions.find((each) => each.schema === schema && each.name === name);
    if (!definition) return false;
    // What an extension makes of its types is its own affair.
    if (definition.extension === null) for (const { type } of definition.parts) visit(type);
    if (!family.includes(definition)) family.push(definition);
    return true;
  };
  return visit(reference) ? family : undefined;
}

/** Text that names objects of one server cannot be read back on another one. */
const namesServerObjects = (family: readonly TypeDefinition[]): boolean =>
  family.some(({ parts }) =>
    parts.some(({ type }) => type.schema === 'pg_catalog' && isServerBound(type.printed)),
  );

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const printed = (name: string): string => (/^[a-z_][a-z0-9_$]*$/.test(name) ? name : quoted(name));

function isSameName(type: TypeDefinition, found: FoundType, homes: Homes): boolean {
  if (type.extension !== null) return found.extension === type.extension && found.name === type.name;
  const home = homeOf(type, homes);
  return found.schema === home.schema && found.name === home.name;
}

function verdictOn(
  source: TypeDefinition,
  found: FoundType | undefined,
  types: readonly NativeType[],
  homes: Homes,
): NativeType['verdict'] {
  // The row type of a table ties that table down; a base type of nobody's shows nothing to compare it by.
  if (source.isRowType || found?.isRowType === true) return { kind: 'incomparable' };
  if (source.kind === 'base type' && source.extension === null) return { kind: 'incomparable' };
  if (!found) return { kind: 'missing' };
  if (found.kind !== source.kind) return { kind: 'differs' };
  if (source.kind === 'enum') return verdictOnLabels(source.labels, found.labels);
  if (source.extension !== null) return { kind: 'alike' };
  const isAlike =
    isSameParts(source, found, types) &&
    source.isNotNull === found.isNotNull &&
    isSameRange(source.range, found.range, homes) &&
    isSameChecks(source.checks, found.checks, homes);
  return { kind: isAlike ? 'alike' : 'differs' };
}

/** The order of bounds decides what a value is: a multirange is sorted by it, and what overlaps becomes one. */
function isSameRange(source: RangeDetail | null, found: RangeDetail | null, homes: Homes): boolean {
  if (!source || !found) return source === found;
  const { multirange: many } = source;
  const moved = homeOf(many, homes);
  return (
    source.order === found.order &&
    (source.collation === null) === (found.collation === null) &&
    RANGE_NAMES.every((name) => source[name] === found[name]) &&
    [many, moved].some(
      ({ schema, name }) => found.multirange.schema === schema && found.multirange.name === name,
    )
  );
}

const RANGE_NAMES = ['opclass', 'canonical', 'subtypeDiff'] as const;

/** Labels that are new at the source can be added; any other difference would change what rows hold. */
function verdictOnLabels(source: readonly string[], found: readonly string[]): NativeType['verdict'] {
  const shared = source.filter((label) => found.includes(label));
  if (shared.length !== found.length || shared.some((label, place) => label !== found[place]))
    return { kind: 'differs' };
  if (shared.length === source.length) return { kind: 'alike' };
  const labels = source.flatMap((label, place): NewLabel[] =>
    found.includes(label) ? [] : [{ label, after: source[place - 1], before: shared[0] }],
  );
  return { kind: 'lacks-labels', labels };
}

const isSameParts = (source: TypeDefinition, found: FoundType, types: readonly NativeType[]): boolean =>
  source.parts.length === found.parts.length &&
  source.parts.every(({ name, type }, place) => {
    const other = found.parts[place];
    return other?.name === name && other.type.printed === printType(type, types);
  });

/** As printed, or as they would be if the source's schema were called like the destination's. */
function isSameChecks(source: readonly string[], found: readonly string[], homes: Homes): boolean {
  const moved = source.map((check) =>
    check.replaceAll(`${printed(homes.source)}.`, `${printed(homes.destination)}.`),
  );
  const isSame = (checks: readonly string[]) => checks.toSorted().join('\n') === found.toSorted().join('\n');
  return isSame(source) || isSame(moved);
}
