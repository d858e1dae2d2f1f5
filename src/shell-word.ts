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

type TableCommand = 'reset' | 'status' | 'sync' | 'verify';

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
