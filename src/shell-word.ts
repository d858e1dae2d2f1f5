/** Words of commands that a user can type or paste into a shell. */

/** A terminal does not show these characters as they are, so they could not be copied. */
const UNTYPEABLE = /\p{Cc}/u;

/** Bash, zsh and ksh read $'...'. Every shell reads the other forms. */
export const shellWord = (text: string): string =>
  /^[\w./:@-][\w./:@,=-]*$/.test(text)
    ? text
    : UNTYPEABLE.test(text)
      ? `$'${text.replaceAll(/[\\'\p{Cc}]/gu, escaped)}'`
      : `'${text.replaceAll("'", String.raw`'\''`)}'`;

const NAMED: Readonly<Record<string, string>> = {
  '\n': String.raw`\n`,
  '\r': String.raw`\r`,
  '\t': String.raw`\t`,
  '\\': String.raw`\\`,
  "'": String.raw`\'`,
};

/** Three octal digits, because some shells read as many hexadecimal digits as follow. */
const escaped = (character: string): string =>
  NAMED[character] ??
  [...Buffer.from(character)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');

type TableCommand = 'check' | 'deletes-sql' | 'plan' | 'reset' | 'sequences' | 'status' | 'sync' | 'verify';

/** A command of increp for these tables. A name that begins with a dash is not read as an option. */
export function tablesCommand(
  command: TableCommand,
  tables: readonly string[],
  flags: readonly string[],
): string {
  const words = tables.map(shellWord);
  const isDash = tables.some((table) => table.startsWith('-'));
  return ['increp', command, ...(isDash ? [...flags, '--', ...words] : [...words, ...flags])].join(' ');
}

export const tableCommand = (command: TableCommand, table: string, ...flags: string[]): string =>
  tablesCommand(command, [table], flags);

/** Commands in a text that permit more than a plain sync does. A command ends with its quote or its line. */
const PERMITTING =
  /\bincrep (?:reset|(?:sync|verify)(?=[^"\n]* --(?:force|full-refresh|adopt|replace)(?![\w-])))(?![\w-]|[^"\n]* --destination )/g;

/** What one destination needs is not permitted for the others. A single destination has no name. */
export const onlyAtDestination = (text: string, destination: string | undefined): string =>
  destination === undefined
    ? text
    : text.replaceAll(PERMITTING, (command) => `${command} --destination ${shellWord(destination)}`);

/** The names of more tables in a command fill a terminal. */
export const MOST_IN_COMMAND = 20;

/** The text as it is for all destinations. */
export const atAllDestinations = (text: string, destination: string): string =>
  text.replaceAll(` --destination ${shellWord(destination)}`, '');

type ReadCommand = { readonly words: readonly string[] } | { readonly fault: string };

/** A piece of a word: an escaped character, a text in quotes, or plain characters. */
const PIECE = /\\([^])|'([^']*)'|"((?:\\[^]|[^"\\])*)"|([^\s\\'"]+)/gy;

/**
 * Splits a command at white space, with the quotes and backslashes of a shell. Nothing else of a shell has a meaning,
 * so a command that needs more is a fault. No fault repeats a piece of the text.
 */
export function readCommand(text: string): ReadCommand {
  const words: string[] = [];
  const rest = new RegExp(PIECE);
  for (let end = 0; end < text.length;) {
    const space = /^\s*/.exec(text.slice(end))?.[0].length ?? 0;
    end += space;
    if (end === text.length) break;
    rest.lastIndex = end;
    const [piece, escape, single, double, plain] = rest.exec(text) ?? [];
    if (piece === undefined) return { fault: 'contains a quote or backslash that is not closed' };
    const found = /[|&;<>()`$]/.exec(plain ?? '') ?? /(?<!\\)(?:\\\\)*([`$])/.exec(double ?? '');
    if (found)
      return {
        fault: `contains "${found[1] ?? found[0]}", which needs a shell; write it as: sh -c '...'`,
      };
    const read = escape ?? single ?? double?.replaceAll(/\\([\\"`$])/g, '$1') ?? plain ?? '';
    if (words.length === 0 || space > 0) words.push(read);
    else words.push(`${words.pop()}${read}`);
    end += piece.length;
  }
  return words.length === 0 || words[0] === '' ? { fault: 'names no program' } : { words };
}
