/** A column of the source, and the type of its values at the destination. */
import * as z from 'zod';

/** One column, as the catalog of either side describes it. Source columns become part of the saved state. */
export const columnSchema = z.object({
  name: z.string(),
  /** attnum. It shows whether a column was dropped and added again. */
  position: z.number().int(),
  /** format_type() under an empty search_path, so user-defined types have their schema in front. */
  type: z.string(),
  /** The underlying type: a domain is resolved to its base type. */
  base: z.object({
    type: z.string(),
    isBuiltIn: z.boolean(),
    isArray: z.boolean(),
    /** The underlying type of an array's elements. */
    element: z
      .object({ type: z.string(), isBuiltIn: z.boolean(), isArray: z.boolean(), delimiter: z.string() })
      .nullable(),
  }),
  /** Other parts that determine how values print: labels of enums and fields of composite types, also nested ones. */
  typeDetail: z.array(z.string()).nullable(),
  isNotNull: z.boolean(),
  /** Null for the type's default collation. */
  collation: z.string().nullable(),
  generated: z.enum(['', 's', 'v']),
  /** The expression of a generated column. Absent in old records. */
  expression: z.string().nullish(),
  identity: z.enum(['', 'a', 'd']),
});

export type Column = Readonly<z.infer<typeof columnSchema>>;

/**
 * Built-in types whose text names objects of one server, or that have no input function. The objects may not exist at
 * the destination, so the destination table keeps the text.
 */
const SERVER_BOUND =
  /^(reg[a-z]+|aclitem|pg_node_tree|pg_ndistinct|pg_dependencies|pg_mcv_list|pg_brin_[a-z_]+|gtsvector)$/;

/** `type` as format_type() prints it. */
export const isServerBound = (type: string): boolean => SERVER_BOUND.test(type.replace(/\[\]$/, ''));

/** Whether its text depends on the search_path, as for regclass. That also holds for a part of its type. */
export const printsByPath = ({ type, base, typeDetail }: Column): boolean =>
  [type, base.type, base.element?.type ?? '', ...(typeDetail ?? [])].some((text) =>
    /\breg[a-z]+\b/.test(text),
  );

const hasPortableText = (part: { type: string; isBuiltIn: boolean }): boolean =>
  part.isBuiltIn && !isServerBound(part.type);

/** Whether the column holds xml or an array of xml, possibly through a domain. */
export const holdsXml = ({ base }: Column): boolean => base.type === 'xml' || base.element?.type === 'xml';

/** The types that `types: "native"` keeps. */
export interface NativeCarriers {
  /** The destination's type, by the column's type as the source prints it. Other types are handled as with "text". */
  readonly carried: ReadonlyMap<string, string>;
}

/**
 * The type of the column at the destination. Without a native type, built-in types stay, and domains become their base
 * type. Arrays of user-defined types become text[], and other user-defined types become text. The text is the output of
 * COPY, so no value changes.
 */
export function carriedType({ type, base }: Column, { carried }: NativeCarriers): string {
  const native = carried.get(type);
  if (native !== undefined) return native;
  if (!base.isArray) return hasPortableText(base) ? base.type : 'text';
  const { element } = base;
  if (!element) return 'text';
  // An array of a domain over an array has no built-in equivalent. The text of its elements fits text[].
  if (element.isArray) return 'text[]';
  if (hasPortableText(element)) return `${element.type}[]`;
  return element.delimiter === ',' ? 'text[]' : 'text';
}

/** The type without its modifier, for a cast that cuts no value. In SQL, `character` and `bit` mean one character or bit. */
export const withoutModifier = (type: string): string =>
  type
    .replace(/\([\d,-]+\)/, '')
    .replace(/^character(?=(\[\])*$)/, 'bpchar')
    .replace(/^bit(?=(\[\])*$)/, '"bit"');

/** The record image operator compares rows column by column, so the order of columns matters. */
export const isSameList = (left: readonly Column[], right: readonly Column[]): boolean =>
  left.length === right.length && left.every(({ name }, index) => right[index]?.name === name);
