/**
 * `types: "native"`: finds the destination type for a user-defined type of the source. Pure.
 *
 * A type in the schema of the source table has its home in the schema of the destination table. Any other type has its
 * home in the schema with the same name. A type of an extension is found wherever that extension is installed.
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

/** The position of a new label in an enum: after an existing label, else before one, else alone. */
export interface NewLabel {
  readonly label: string;
  readonly after: string | undefined;
  readonly before: string | undefined;
}

export interface NativeType {
  /** The first column that needs it. */
  readonly column: string;
  readonly source: TypeDefinition;
  /** The name at the destination, whether the type exists there or not. */
  readonly home: TypeName;
  readonly found: FoundType | undefined;
  readonly verdict:
    | { readonly kind: 'alike' | 'missing' | 'differs' | 'incomparable' }
    | { readonly kind: 'lacks-labels'; readonly labels: readonly NewLabel[] };
}

export interface NativeTypes extends NativeCarriers {
  /** All user-defined types of the columns. A type comes after the types that it consists of. */
  readonly types: readonly NativeType[];
  readonly schemas: DestinationTypes['schemas'];
  /** Signatures of the functions of these types that exist at the destination. */
  readonly functions: readonly string[];
  readonly homes: TypeSchemas;
}

/** The schema of the tables on each side. */
export interface TypeSchemas {
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

export const homeOf = ({ schema, name }: TypeName, homes: TypeSchemas): TypeName => ({
  schema: schema === homes.source ? homes.destination : schema,
  name,
});

export function resolveNativeTypes(
  columns: readonly Column[],
  source: SourceTypes,
  destination: DestinationTypes,
  homes: TypeSchemas,
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

/** The order has to be such that a type comes after the types that it consists of. */
export function judgeTypes(
  needed: readonly Pick<NativeType, 'source' | 'column'>[],
  destination: DestinationTypes,
  homes: TypeSchemas,
): NativeType[] {
  const types: NativeType[] = [];
  for (const { source, column } of needed) {
    const found = destination.types.find((candidate) => isSameName(source, candidate, homes));
    const home = found ?? homeOf(source, homes);
    types.push({ column, source, home, found, verdict: verdictOn(source, found, types, homes) });
  }
  return types;
}

/** The type with its modifiers and brackets, as the destination prints it or would print it. */
export function printType(reference: TypeReference, types: readonly NativeType[]): string {
  const type = types.find(
    ({ source: { schema, name } }) => schema === reference.schema && name === reference.name,
  );
  if (!type) return reference.printed;
  return `${type.found?.printed ?? `${quoted(type.home.schema)}.${quoted(type.home.name)}`}${reference.suffix}`;
}

/** The user-defined types that a type consists of, parts first. Undefined for a built-in type. */
function familyOf(
  reference: TypeReference,
  definitions: readonly TypeDefinition[],
): readonly TypeDefinition[] | undefined {
  const family: TypeDefinition[] = [];
  const visit = ({ schema, name }: TypeReference): boolean => {
    const definition = definitions.find((each) => each.schema === schema && each.name === name);
    if (!definition) return false;
    // The parts of an extension's type come with the extension.
    if (definition.extension === null) for (const { type } of definition.parts) visit(type);
    if (!family.includes(definition)) family.push(definition);
    return true;
  };
  return visit(reference) ? family : undefined;
}

/** Text that names objects of one server cannot be read on another server. */
const namesServerObjects = (family: readonly TypeDefinition[]): boolean =>
  family.some(({ parts }) =>
    parts.some(({ type }) => type.schema === 'pg_catalog' && isServerBound(type.printed)),
  );

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const printed = (name: string): string => (/^[a-z_][a-z0-9_$]*$/.test(name) ? name : quoted(name));

function isSameName(type: TypeDefinition, found: FoundType, homes: TypeSchemas): boolean {
  if (type.extension !== null) return found.extension === type.extension && found.name === type.name;
  const home = homeOf(type, homes);
  return found.schema === home.schema && found.name === home.name;
}

function verdictOn(
  source: TypeDefinition,
  found: FoundType | undefined,
  types: readonly NativeType[],
  homes: TypeSchemas,
): NativeType['verdict'] {
  // A row type would prevent changes of its table. A base type outside an extension has nothing that can be compared.
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

/** The order of bounds determines values: a multirange is sorted by it, and overlapping ranges are merged. */
function isSameRange(source: RangeDetail | null, found: RangeDetail | null, homes: TypeSchemas): boolean {
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

/** New labels of the source can be added. Any other difference would change the values of rows. */
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

/** Compares checks as printed, and with the source's schema replaced by the destination's. */
function isSameChecks(source: readonly string[], found: readonly string[], homes: TypeSchemas): boolean {
  const moved = source.map((check) =>
    check.replaceAll(`${printed(homes.source)}.`, `${printed(homes.destination)}.`),
  );
  const isSame = (checks: readonly string[]) => checks.toSorted().join('\n') === found.toSorted().join('\n');
  return isSame(source) || isSame(moved);
}
