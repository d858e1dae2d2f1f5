/** Rows of read models as JSON: names in snake_case, times in RFC 3339. Pure. */

/** Their keys belong to users, or are written so already. */
const AS_IS = [
  'lacks',
  'detail',
  'outcome',
  'options',
  'result',
  'error',
  'problem',
  'fields',
  'states',
  'definition',
];

const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

export function inJson(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(inJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [snakeCase(key), AS_IS.includes(key) ? each : inJson(each)]),
  );
}
