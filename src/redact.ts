/** Takes secrets out of text that is about to leave the process. */

export type Redact = (text: string) => string;

const MASK = '***';

/** Below this length a secret is part of ordinary words: hiding it everywhere would leave no readable line. */
const SHORTEST_EVERYWHERE = 4;

/** RegExp.escape came with Node 24. */
const escapeRegExp = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** The ways in which a secret shows up in other people's messages. */
function formsOf(secret: string): string[] {
  // Half a surrogate pair has no URL form: encodeURI would throw.
  if (!secret.isWellFormed()) return [secret];
  return [
    secret,
    encodeURIComponent(secret),
    encodeURI(secret),
    secret.replaceAll("'", "''"),
    JSON.stringify(secret).slice(1, -1),
  ];
}

/** A very short secret is hidden only where credentials stand: `user:SECRET@host` and `password=SECRET`. */
function shortPattern(secret: string): string {
  const text = escapeRegExp(secret);
  return `(?<=:)${text}(?=@)|(?<=(?:[Pp]assword|PASSWORD|passwd|[Ss]ecret|SECRET|[Tt]oken|TOKEN)['"]?\\s?[=:]\\s?['"]?)${text}(?!\\w)`;
}

export function redactor(secrets: readonly string[]): Redact {
  const long = secrets.filter((secret) => secret.length >= SHORTEST_EVERYWHERE);
  const short = secrets.filter((secret) => secret.length > 0 && secret.length < SHORTEST_EVERYWHERE);
  const forms = new Set(long.flatMap(formsOf));
  // Longest first: of two secrets, one inside the other, none may leave its ends behind.
  const patterns = [...forms].toSorted((a, b) => b.length - a.length).map((form) => escapeRegExp(form));
  patterns.push(...short.map(shortPattern));
  if (patterns.length === 0) return (text) => text;
  const secretText = new RegExp(patterns.join('|'), 'g');
  return (text) => text.replace(secretText, MASK);
}

/** The same value with every string in it changed; keys stay as they are. For plain JSON values only. */
export function mapStrings(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, change));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapStrings(item, change)]));
}
