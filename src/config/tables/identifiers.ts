/** NAMEDATALEN - 1. Postgres silently cuts a longer name, and the result could be the name of another object. */
const MAX_NAME_BYTES = 63;

export const IDENTIFIER = `a name of 1 to ${MAX_NAME_BYTES} bytes`;

export function isIdentifier(name: string): boolean {
  return name !== '' && Buffer.byteLength(name) <= MAX_NAME_BYTES && !name.includes('\0');
}
