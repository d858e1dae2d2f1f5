/** User-defined types as the catalogs of both sides describe them, for `types: "native"`. */
import * as z from 'zod';

/** The type of a column, a field or a domain. */
const typeReferenceSchema = z.object({
  /** format_type() under an empty search_path. */
  printed: z.string(),
  /** The schema of the type. For an array, that of its element type. */
  schema: z.string(),
  name: z.string(),
  /** The modifiers and brackets after the name in `printed`. */
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

/** Names are qualified and quoted. */
const rangeSchema = z.object({
  opclass: z.string(),
  isDefaultOpclass: z.boolean(),
  /** Null for the default collation of the database, or if the subtype has no collation. */
  collation: z.string().nullable(),
  /** The meaning of that collation, as a text that can be compared between servers. */
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
  /** pg_type.typtype as a text. */
  kind: z.enum(['b', 'c', 'd', 'e', 'm', 'r']).transform((kind) => KINDS[kind]),
  /** True for a composite type that comes with a table or view. */
  isRowType: z.boolean(),
  /** The extension that the type belongs to. */
  extension: z.string().nullable(),
  /** The labels of an enum, in order. */
  labels: z.array(z.string()),
  /** CHECK constraints of a domain, as pg_get_constraintdef() prints them. */
  checks: z.array(z.string()),
  /** NOT NULL of a domain. */
  isNotNull: z.boolean(),
  /** A domain's base type, a composite's fields, a range's subtype, a multirange's range. */
  parts: z.array(z.object({ name: z.string(), type: typeReferenceSchema })),
  /** The other properties that determine how a range orders and prints its bounds. */
  range: rangeSchema.nullable(),
  /** User-defined functions of its constraints and bounds. A function in C has no definition that SQL could run. */
  functions: z.array(z.object({ signature: z.string(), definition: z.string().nullable() })),
});

export type TypeDefinition = Readonly<z.infer<typeof typeDefinitionSchema>>;

/** The declared types of some tables' columns, and all user-defined types that they consist of. */
export const sourceTypesSchema = z.object({
  references: z.array(typeReferenceSchema),
  definitions: z.array(typeDefinitionSchema),
});

export type SourceTypes = Readonly<z.infer<typeof sourceTypesSchema>>;

const foundTypeSchema = typeDefinitionSchema.extend({
  /** Whether the role of increp may ALTER it. */
  isOwned: z.boolean(),
  /** Whether the role of increp may use it for a column. */
  canUse: z.boolean(),
});

export type FoundType = Readonly<z.infer<typeof foundTypeSchema>>;

/** The wanted types that the destination has, and the schemas where the role of increp may create types. */
export const destinationTypesSchema = z.object({
  types: z.array(foundTypeSchema),
  schemas: z.array(z.object({ schema: z.string(), canCreate: z.boolean() })),
  /** Signatures of the wanted functions that exist. */
  functions: z.array(z.string()),
});

export type DestinationTypes = Readonly<z.infer<typeof destinationTypesSchema>>;
