/** Words of commands that someone may type or paste into a shell as they stand. */

/** A terminal shows such a character otherwise than it is, so that it could not be copied. */
const UNTYPEABLE = /\p{Cc}/u;

/** Bash, zsh and ksh read $'...'; every shell reads the others. */
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

/** In three octal digits: of hexadecimal ones, some shells take as many as follow. */
const escaped = (character: string): string =>
  NAMED[character] ??
  [...Buffer.from(character)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');

/** A command of increp for one table, which is no option even where its name begins with a dash. */
export const tableCommand = (
  command: 'sync' | 'verify' | 'reset',
  table: string,
  ...flags: string[]
): string =>
  [
    'increp',
    command,
    ...(table.startsWith('-') ? [...flags, '--', shellWord(table)] : [shellWord(table), ...flags]),
  ].join(' ');
