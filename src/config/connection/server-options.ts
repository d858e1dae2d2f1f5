/** The parameter `options` of libpq: settings of the server for the session. Pure. */

/** Settings that increp and pg_dump make for each transaction, so a value of the user would have no effect. */
const OURS: readonly string[] = [
  'client_encoding',
  'standard_conforming_strings',
  'timezone',
  'datestyle',
  'intervalstyle',
  'extra_float_digits',
  'bytea_output',
  'lc_monetary',
  'xmloption',
  'array_nulls',
  'quote_all_identifiers',
  'client_min_messages',
  'row_security',
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'transaction_timeout',
  'client_connection_check_interval',
  'tcp_keepalives_idle',
  'tcp_keepalives_interval',
  'tcp_keepalives_count',
  'tcp_user_timeout',
  'default_transaction_isolation',
  'transaction_isolation',
  'application_name',
  'session_authorization',
];

/** The words of the text. White space separates them, and a backslash escapes the next character. */
const wordsOf = (text: string): string[] =>
  (text.match(/(?:\\[^]|[^\s\\])+/g) ?? []).map((word) => word.replaceAll(/\\([^])/g, '$1'));

/** The name of a Neon endpoint, for clients that do not send it in the TLS handshake. increp and pg_dump send it. */
export const isOfNeon = (options: string): boolean => /^(endpoint|project)=[\w-]+$/.test(options);

/** Undefined if every option may be used. */
export function optionsFault(text: string): string | undefined {
  if (isOfNeon(text)) return undefined;
  const settings = wordsOf(text)
    .join(' ')
    .replaceAll(/(?<=^| )-c /g, '-c')
    .split(/ (?=-)/);
  for (const setting of settings) {
    const name = /^(?:-c|--)([a-z][\w.-]*)=/i.exec(setting)?.[1]?.replaceAll('-', '_').toLowerCase();
    if (name === undefined)
      return '"options" must be settings of the form "-c NAME=VALUE", separated by white space';
    if (OURS.includes(name))
      return `"options" sets ${name}, which increp sets itself; remove it from "options"`;
  }
  return undefined;
}
