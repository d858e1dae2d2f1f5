/** User-defined types as the catalogs of either side describe them: what `types: "native"` is decided from. */
import { z } from 'zod';

/** A use of a type: by a column, a field, a domain. */
const typeReferenceSchema = z.object({
  /** format_type() under an empty search_path. */
  printed: z.string(),
  /** Of the type itself; of an array's elements. */
  schema: z.string(),
  name: z.string(),
  /** What stands behind the name in `printed`: modifiers and brackets. */
  suffix: z.string(),
});

export type TypeReference = Readonly<z.infer<typeof typeReferenceSchema>>;

const KINDS = {
  b: 'base type',
  c: 'composite type',
  d: 'domain',
  e: 'enum',
  m: 'multirange type',
  r: 'range type',
} as const;

/** Names in full, as SQL. */
const rangeSchema = z.object({
  opclass: z.string(),
  isDefaultOpclass: z.boolean(),
  /** Null where it is the default one of its database, or the subtype has none. */
  collation: z.string().nullable(),
  /** What that collation means, in words that can be compared between servers. */
  order: z.string().nullable(),
  canonical: z.string().nullable(),
  subtypeDiff: z.string().nullable(),
  multirange: z.object({ schema: z.string(), name: z.string() }),
});

export type RangeDetail = Readonly<z.infer<typeof rangeSchema>>;

export const typeDefinitionSchema = z.object({
  schema: z.string(),
  name: z.string(),
  printed: z.string(),
  /** pg_type.typtype, in words. */
  kind: z.enum(['b', 'c', 'd', 'e', 'm', 'r']).transform((kind) => KINDS[kind]),
  /** True for a composite type that comes with a table or view. */
  isRowType: z.boolean(),
  /** The extension that it is part of. */
  extension: z.string().nullable(),
  /** Of an enum, in order. */
  labels: z.array(z.string()),
  /** CHECK constraints of a domain, as pg_get_constraintdef() prints them. */
  checks: z.array(z.string()),
  /** NOT NULL of a domain. */
  isNotNull: z.boolean(),
  /** A domain's base type, a composite's fields, a range's subtype, a multirange's range. */
  parts: z.array(z.object({ name: z.string(), type: typeReferenceSchema })),
  /** What else decides how a range orders and prints its bounds. */
  range: rangeSchema.nullable(),
  /** Functions of people that it calls: in its constraints, for its bounds. No definition: one in C, which text cannot make. */
  functions: z.array(z.object({ signature: z.string(), definition: z.string().nullable() })),
});

export type TypeDefinition = Readonly<z.infer<typeof typeDefinitionSchema>>;

/** What the columns of some tables are declared as, and all user-defined types that these are made of. */
export const sourceTypesSchema = z.object({
  references: z.array(typeReferenceSchema),
  definitions: z.array(typeDefinitionSchema),
});

export type SourceTypes = Readonly<z.infer<typeof sourceTypesSchema>>;

const foundTypeSchema = typeDefinitionSchema.extend({
  /** Whether our role may ALTER it. */
  isOwned: z.boolean(),
  /** Whether our role may give it to a column. */
  canUse: z.boolean(),
});

export type FoundType = Readonly<z.infer<typeof foundTypeSchema>>;

/** What the destination has of the types that were looked for, and where our role may create. */
export const destinationTypesSchema = z.object({
  types: z.array(foundTypeSchema),
  schemas: z.array(z.object({ schema: z.string(), canCreate: z.boolean() })),
  /** Signatures, of those that were looked for. */
  functions: z.array(z.string()),
});

export type DestinationTypes = Readonly<z.infer<typeof destinationTypesSchema>>;
