/**
 * Decides which CHECK constraints of a domain increp creates at the destination without a review by the user.
 *
 * A constraint is a program. A role that can create a domain at the source could run code at the destination with the
 * privileges of increp when rows arrive (query_to_xml() alone runs any statement). So increp accepts only constraints
 * that compare: VALUE, constants, operators, casts to plain types, and a few functions that read only their arguments.
 */

const WORDS = new Set(
  `check value and or not is null true false any all array distinct from case when then else end
   text character varying varchar bpchar boolean smallint integer bigint numeric real double precision
   date time timestamp interval with without zone uuid bytea json jsonb inet cidr
   length char_length character_length octet_length lower upper btrim ltrim rtrim substr strpos starts_with
   abs round floor ceil trunc mod cardinality array_length jsonb_typeof json_typeof isfinite coalesce nullif`.split(
    /\s+/,
  ),
);

/** Under an empty search_path, an operator without a schema belongs to pg_catalog. */
const TOKENS =
  /'(?:[^']|'')*'|[a-z_][a-z0-9_]*|\d+(?:\.\d+)?(?:e[+-]?\d+)?|[-+*/<>=~!@#%^&|?]+|[()[\],]|::|\s+/giy;

export function isHarmlessCheck(definition: string): boolean {
  let end = 0;
  for (const { 0: token, index } of definition.matchAll(TOKENS)) {
    if (/^[a-z_]/i.test(token) && !WORDS.has(token.toLowerCase())) return false;
    // A comment would hide what follows.
    if (/--|\/\*/.test(token) && !token.startsWith("'")) return false;
    end = index + token.length;
  }
  return end === definition.length && definition.startsWith('CHECK (');
}
