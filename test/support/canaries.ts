/**
 * Secrets of tests, and the search for them in everything that leaves the program. What a pair's .env says is
 * remembered for the rest of the file: a secret that was replaced is still one.
 */
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'dotenv';

type Variables = Readonly<Record<string, string | undefined>>;

/** By the mark to look for, the variable that it belongs to. */
type Canaries = Map<string, string>;

/** By the pipeline's directory. */
const remembered = new Map<string, Canaries>();

/** Shorter ones occur in ordinary words. */
const SHORTEST = 8;

const SECRET_NAMES =
  /^(SOURCE|DEST)_(PASSWORD|URL)$|^DEST_URLS$|^COPY_\w+_URL$|^WEBHOOK_(URL|SECRET)$|^HEALTHCHECK_URL$|^SERVE_DATABASE_URL$/;

export const forgetSecrets = (): void => remembered.clear();

export function rememberSecrets(directory: string, variables: Variables): void {
  const known = remembered.get(directory) ?? new Map<string, string>();
  remembered.set(directory, known);
  // A password that is also the name of something would be found wherever that is named.
  const open = Object.entries(variables).flatMap(([name, value]) =>
    value === undefined || SECRET_NAMES.test(name) ? [] : [value],
  );
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined || !SECRET_NAMES.test(name)) continue;
    for (const mark of marksIn(name, value)) {
      if (mark.length >= SHORTEST && !open.includes(mark)) known.set(mark, name);
    }
  }
}

/** Whatever a command was given, however it was written there. */
export function rememberSettings(directory: string, environment: Variables): void {
  rememberSecrets(directory, { ...parse(textOf(join(directory, '.env'))), ...environment });
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/**
 * Letters and digits look alike in JSON, in URLs, in SQL and in a passfile, so a run of them gives a secret away. Lower
 * case alone may be an ordinary word: "wrong password".
 */
function marksOf(secret: string): string[] {
  const runs = (secret.match(/[A-Za-z0-9_-]{8,}/g) ?? []).filter((run) => !/^[a-z]+$/.test(run));
  return [secret, ...runs, ...base64Marks(secret)];
}

/** What base64 makes of it wherever it stands in a longer text, as in `user:password`. */
const base64Marks = (secret: string): string[] =>
  ['', 'x', 'xx'].map((before) => {
    const text = Buffer.from(before + secret).toString('base64');
    // The first and the last characters depend on what stands around.
    return text.slice(before === '' ? 0 : 4).replace(/.{0,3}=*$/, '');
  });

function marksIn(name: string, value: string): string[] {
  if (name === 'DEST_URLS')
    return [value, ...value.split(/\s+/).flatMap((word) => marksOfUrl(word.replace(/^\w[\w-]*=/, '')))];
  return name.endsWith('_URL') ? marksOfUrl(value) : marksOf(value);
}

function marksOfUrl(text: string): string[] {
  const url = URL.parse(text);
  if (!url) return [text];
  const parts = [url.password, ...url.pathname.split('/'), ...url.searchParams.values()];
  const database = url.protocol.startsWith('postgres') ? [url.password] : parts;
  return [text, ...database.flatMap((part) => marksOf(safelyDecoded(part)))];
}

function safelyDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Which secret stands where in a text; never the secret itself. */
function leaksIn(text: string, canaries: Canaries): string[] {
  return [...canaries].flatMap(([mark, name]) => {
    const index = text.indexOf(mark);
    if (index < 0) return [];
    const before = text.slice(Math.max(0, index - 60), index);
    const isWhole = text.slice(0, index).length - before.length === 0;
    return [
      `${name} (${mark.length} characters of it, at ${index}), after: ${isWhole ? '' : '...'}${before}`,
    ];
  });
}

/** @throws where a secret of that pipeline stands in one of the texts, by what it is */
export function expectNoSecret(directory: string | undefined, texts: Readonly<Record<string, string>>): void {
  const known = directory === undefined ? allCanaries() : (remembered.get(directory) ?? new Map());
  for (const [what, text] of Object.entries(texts)) {
    const [leak] = leaksIn(text, known);
    if (leak !== undefined) throw new Error(`a secret has got out: ${what} holds ${leak}`);
  }
}

const allCanaries = (): Canaries => new Map([...remembered.values()].flatMap((each) => [...each]));

/** The state files, and whatever else a run has left in the pipeline's directory. */
export async function expectNoSecretInFiles(directory: string): Promise<void> {
  const names = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of names) {
    if (!entry.isFile() || entry.name === '.env') continue;
    const path = join(entry.parentPath, entry.name);
    const text = await readFile(path, 'utf8').catch(() => '');
    if (!isSecretFile(directory, text)) expectNoSecret(directory, { [path]: text });
  }
}

/** One that X_FILE names. */
const isSecretFile = (directory: string, text: string): boolean =>
  remembered.get(directory)?.has(text.trimEnd()) ?? false;
