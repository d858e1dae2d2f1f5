/** Removes secrets from text before it leaves the process. */

export type Redact = (text: string) => string;

const MASK = '***';

/** A shorter secret can be part of ordinary words. To hide it everywhere would make the text unreadable. */
const SHORTEST_EVERYWHERE = 4;
/**
 * A shorter secret of letters and digits is hidden only as a whole word. So "data" is not hidden inside "database".
 */
const SHORTEST_INSIDE_WORDS = 8;

/** RegExp.escape came with Node 24. */
const escapeRegExp = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** The forms in which a secret can appear in the messages of other programs. */
function formsOf(secret: string): string[] {
  const quoted = JSON.stringify(secret).slice(1, -1);
  const plain = [
    secret,
    quoted,
    JSON.stringify(quoted).slice(1, -1),
    secret.replaceAll("'", "''"),
    secret.replaceAll("'", String.raw`'\''`),
    secret.replaceAll(/[\\']/g, String.raw`\$&`),
    secret.replaceAll(/[\\:]/g, String.raw`\$&`),
    ...['base64', 'base64url'].map((encoding) =>
      Buffer.from(secret)
        .toString(encoding as BufferEncoding)
        .replace(/=+$/, ''),
    ),
  ];
  // encodeURI throws on half a surrogate pair.
  return secret.isWellFormed() ? [...plain, ...urlFormsOf(secret)] : plain;
}

function urlFormsOf(secret: string): string[] {
  const component = encodeURIComponent(secret);
  const strict = component.replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  const form = new URLSearchParams([['', secret]]).toString().slice(1);
  const forms = [component, strict, form, encodeURI(secret)];
  return [...forms, ...forms.map((text) => text.replaceAll(/%../g, (escape) => escape.toLowerCase()))];
}

/** A word also begins after an escape, as in `%3Ddata` or `\\ndata`. */
const wholeWord = (pattern: string): string =>
  String.raw`(?:(?<!\w)|(?<=%[\da-fA-F]{2})|(?<=\\[bfnrt]))${pattern}(?!\w)`;

function longPattern(form: string): string {
  const pattern = escapeRegExp(form);
  return form.length < SHORTEST_INSIDE_WORDS && /^\w+$/.test(form) ? wholeWord(pattern) : pattern;
}

/** A very short secret is hidden only in the place of a credential: `user:SECRET@host` and `password=SECRET`. */
function shortPattern(secret: string): string {
  const text = escapeRegExp(secret);
  return `(?<=:)${text}(?=@)|(?<=(?:[Pp]assword|PASSWORD|passwd|[Ss]ecret|SECRET|[Tt]oken|TOKEN)['"]?\\s?[=:]\\s?['"]?)${text}(?!\\w)`;
}

/**
 * The list may grow: a password command or a changed file can add a secret at any time. `openNames` are printed anyway, such
 * as the name of the database. To hide an equal secret there would only show what the secret is. A name that needs quotes in SQL
 * does not count: it is probably a password in the place of a name.
 */
export function redactor(secrets: readonly string[], openNames: readonly string[] = []): Redact {
  const open = new Set(openNames.filter((name) => PLAIN_NAME.test(name)));
  let count = secrets.length;
  let secretText = patternOf(secrets, open);
  return (text) => {
    if (secrets.length !== count) {
      count = secrets.length;
      secretText = patternOf(secrets, open);
    }
    return secretText ? text.replace(secretText, MASK) : text;
  };
}

function patternOf(secrets: readonly string[], open: ReadonlySet<string>): RegExp | undefined {
  const long = secrets.filter((secret) => secret.length >= SHORTEST_EVERYWHERE);
  const short = secrets.filter(
    (secret) => secret.length > 0 && (secret.length < SHORTEST_EVERYWHERE || open.has(secret)),
  );
  const forms = new Set(long.flatMap(formsOf).filter((form) => !open.has(form)));
  // The longest form comes first. If one secret contains another, none of its ends must stay visible.
  const patterns = [...forms].toSorted((a, b) => b.length - a.length).map(longPattern);
  patterns.push(...short.map(shortPattern));
  return patterns.length === 0 ? undefined : new RegExp(patterns.join('|'), 'g');
}

const PLAIN_NAME = /^[a-z_][a-z0-9_]*$/;

type Change = (text: string, key: string) => string;

/** Returns the same value with every string changed. Keys do not change. For plain JSON values only. */
export function mapStrings(value: unknown, change: Change, key = ''): unknown {
  if (typeof value === 'string') return change(value, key);
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, change, key));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, mapStrings(item, change, name)]),
  );
}

/** These fields hold values of increp, or names. A password "failed" must not hide a status. */
const NOT_SECRET = new Set(
  'type status state code sqlstate action loader phase level time run_id pipeline name table tables'.split(
    ' ',
  ),
);

/** Hides secrets in the text fields of a JSON document. */
export const inFields =
  (redact: Redact): Change =>
  (text, key) =>
    NOT_SECRET.has(key) ? text : redact(text);

/** Formats a document for output. Each string is redacted separately, because a secret may look like JSON. */
export function redactedJson(document: unknown, redact: Redact): string {
  const plain: unknown = JSON.parse(JSON.stringify(document));
  return `${JSON.stringify(mapStrings(plain, inFields(redact)), null, 2)}\n`;
}

/** The stack of an error begins with its message, so both are redacted. */
export function redactedCause(cause: unknown, redact: Redact): unknown {
  if (!(cause instanceof Error)) return typeof cause === 'string' ? redact(cause) : undefined;
  const error = new Error(redact(cause.message));
  error.stack = redact(cause.stack ?? cause.message);
  return error;
}
