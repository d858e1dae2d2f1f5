/** What a column is at the source, and what carries its values at the destination. */
import { z } from 'zod';

/** One column, as the catalog of either side describes it. The source's become part of the saved state. */
export const columnSchema = z.object({
  name: z.string(),
  /** attnum: tells a column that was dropped and added again from one that stayed. */
  position: z.number().int(),
  /** format_type() under an empty search_path: user-defined types come with their schema. */
  type: z.string(),
  /** The type that has all the values: domains resolved down to what they are made of. */
  base: z.object({
    type: z.string(),
    isBuiltIn: z.boolean(),
    isArray: z.boolean(),
    /** The same of an array's elements, domains resolved. */
    element: z
      .object({ type: z.string(), isBuiltIn: z.boolean(), isArray: z.boolean(), delimiter: z.string() })
      .nullable(),
  }),
  /** What else decides how values print: an enum's labels, a composite's fields, also of types within the type. */
  typeDetail: z.array(z.string()).nullable(),
  isNotNull: z.boolean(),
  /** Null for the type's default collation. */
  collation: z.string().nullable(),
  generated: z.enum(['', 's', 'v']),
  /** What a generated column is computed by; absent where it was not recorded. */
  expression: z.string().nullish(),
  identity: z.enum(['', 'a', 'd']),
});

export type Column = Readonly<z.infer<typeof columnSchema>>;

/**
 * Built-in types whose text names objects of one server (or that have no input at all). At the destination
 * those objects need not exist, so the text is what is kept.
 */
const SERVER_BOUND =
  /^(reg[a-z]+|aclitem|pg_node_tree|pg_ndistinct|pg_dependencies|pg_mcv_list|pg_brin_[a-z_]+|gtsvector)$/;

/** `type` as format_type() prints it. */
export const isServerBound = (type: string): boolean => SERVER_BOUND.test(type.replace(/\[\]$/, ''));

/** Whether its text names objects with their schema only where the search_path does not find them (regclass, also within a type). */
export const printsByPath = ({ type, base, typeDetail }: Column): boolean =>
  [type, base.type, base.element?.type ?? '', ...(typeDetail ?? [])].some((text) =>
    /\breg[a-z]+\b/.test(text),
  );

const hasPortableText = (part: { type: string; isBuiltIn: boolean }): boolean =>
  part.isBuiltIn && !isServerBound(part.type);

/** As xml or as an array of it, also through domains. */
export const holdsXml = ({ base }: Column): boolean => base.type === 'xml' || base.element?.type === 'xml';

/** What `types: "native"` keeps. */
export interface NativeCarriers {
  /** By a column's type as the source prints it: the destination's. What is not in here goes as it does with "text". */
  readonly carried: ReadonlyMap<string, string>;
}

/**
 * The destination's type. Where nothing is kept: built-in types as they are, domains as their base type, arrays of
 * user-defined types as text[], every other user-defined type as text. The text is what COPY prints, so nothing is
 * altered.
 */
export function carriedType({ type, base }: Column, { carried }: NativeCarriers): string {
  const native = carried.get(type);
  if (native !== undefined) return native;
  if (!base.isArray) return hasPortableText(base) ? base.type : 'text';
  const { element } = base;
  if (!element) return 'text';
  // An array of a domain over an array has no plain equivalent; its elements' text fits text[].
  if (element.isArray) return 'text[]';
  if (hasPortableText(element)) return `${element.type}[]`;
  return element.delimiter === ',' ? 'text[]' : 'text';
}

/** The record image operator compares rows column by column, so the order counts. */
export const isSameList = (left: readonly Column[], right: readonly Column[]): boolean =>
  left.length === right.length && left.every(({ name }, index) => right[index]?.name === name);
