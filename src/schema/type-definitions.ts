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
  /** What else a range does to its bounds: operator class and canonical function. */
  rangeDetail: z.string().nullable(),
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
});

export type DestinationTypes = Readonly<z.infer<typeof destinationTypesSchema>>;
