/** Finds the connection string in a text that a user pasted: pure. */

const PSQL = /^(?:PG\w+=\S*\s+)*psql\s/i;
const QUOTED = /(["'])\s*((?:postgres(?:ql)?:\/\/|\w+\s*=)[^]*?)\1/i;
const BARE_URL = /(?:^|[\s=])(postgres(?:ql)?:\/\/\S+)/i;

/** The URL or the keywords in a command line of psql, or in quotes. Any other text stays as it is. */
export function pastedConnection(text: string): string {
  const trimmed = text.trim();
  if (!PSQL.test(trimmed) && !/^["']/.test(trimmed)) return trimmed;
  return QUOTED.exec(trimmed)?.[2]?.trim() ?? BARE_URL.exec(trimmed)?.[1] ?? trimmed;
}
