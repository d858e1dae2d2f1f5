/**
 * What of a statement is looked up on the search_path and can be planted there: operators, functions, and the words of SQL behind
 * which the server looks for an operator by its name. Types and relations are found in pg_catalog first.
 */

/** Keywords that a bracket may follow. */
const WORDS = new Set(
  `all and any array as bit by case char coalesce columns conflict copy distinct else exists explain extract filter from greatest
   having insert interval into join key lateral least materialized not numeric on only or over partition primary range references returning row select set
   then timestamp union unique using values varchar varying when where with`.split(/\s+/),
);

const SUSPECT: readonly RegExp[] = [
  /\bIN \(/gi,
  /\b(?:NOT )?(?:BETWEEN|LIKE|ILIKE|SIMILAR TO|OVERLAPS)\b/gi,
  /\bNULLIF\b/gi,
  /\bCASE (?!WHEN\b)\w+/gi,
  /\bIS (?:NOT )?DISTINCT FROM (?!NULL\b)\S+/gi,
  /\bJOIN [^()]*\bUSING \(/gi,
];

/** Literals and quoted names are blanked, and what is qualified goes. */
const skeleton = (sql: string): string =>
  sql
    .replaceAll(/(?<!\w)E?'(?:[^']|'')*'/g, "''")
    .replaceAll(/"(?:[^"]|"")*"/g, 'Q')
    .replaceAll(/--[^\n]*/g, '')
    .replaceAll(/OPERATOR\(pg_catalog\.[^)\s]+\)/g, ' ')
    .replaceAll(/::\s*(?:pg_catalog\.)?\w+(?: precision)?(?:\(\d+(?:,\d+)?\))?(?:\[\])?/g, '')
    .replaceAll(/\bpg_catalog\.\w+\s*\(/g, 'Q(')
    .replaceAll(/\bSET LOCAL \w+ (?:=|TO) [^;]*/g, '')
    // Not operators: a list of columns, all of them, and what a column is set to.
    .replaceAll('(*)', '()')
    .replaceAll(/\w+\.\*|\bSELECT \*/g, ' ')
    .replaceAll(/(\bSET |, )(?:Q|\((?:Q(?:, )?)+\)) = /g, '$1');

/** Empty where nothing of it depends on the path. */
export function bareIn(sql: string): string[] {
  const text = skeleton(sql);
  const functions = [...text.matchAll(/(?<![.\w])([A-Za-z_]\w*)\s*\(/g)]
    .map(([, name = '']) => name)
    .filter((name) => name !== 'Q' && !WORDS.has(name.toLowerCase()));
  const operators = text.match(/[-+*/<>=~!@#%^&|`?]+/g) ?? [];
  const words = SUSPECT.flatMap((pattern) => text.match(pattern) ?? []);
  return [...functions, ...operators, ...words];
}
