/** Collects the secrets that must never be printed: as they were written, and the parts that can appear alone. */
import { redactor } from '../../redact.ts';
import type { Problem } from '../problems.ts';
import type { Connections, TableSettings } from '../settings.ts';
import { splitUrls } from './split-urls.ts';
import type { Value, Values } from './values.ts';
import { VARIABLES } from './variables.ts';

/** Shorter texts are ordinary words of messages. */
const SHORTEST_IN_PROBLEMS = 8;

/** A message may quote a secret that is in the wrong place. */
export function withoutSecrets(
  problems: readonly Problem[],
  secrets: readonly string[],
  openNames: readonly string[] = [],
): Problem[] {
  const redact = redactor(
    secrets.filter((secret) => secret.length >= SHORTEST_IN_PROBLEMS),
    openNames,
  );
  return problems.map((problem) => ({
    ...problem,
    where: redact(problem.where),
    what: redact(problem.what),
    table: problem.table === undefined ? undefined : redact(problem.table),
  }));
}

/** Settings that output shows by design. A secret may be equal to one of them. */
export function openNamesOf(
  connections: Partial<Connections> | undefined,
  tables: readonly Pick<TableSettings, 'name' | 'source'>[] = [],
  pipeline?: string,
): string[] {
  const { source, destination, destinations = [] } = connections ?? {};
  const sides = [source, destination, ...destinations.map(({ connection }) => connection)];
  return [
    ...sides.flatMap((side) =>
      side
        ? [side.user, side.database, side.schema, side.host, ...side.otherServers.map(({ host }) => host)]
        : [],
    ),
    ...tables.flatMap(({ name, source: { schema, table } }) => [name, schema, table]),
    ...(pipeline === undefined ? [] : [pipeline]),
  ];
}

/** Includes whole URLs and their parts, because a message may quote a URL as it was written. */
export function secretsOf(
  connections: (Omit<Connections, 'destinations'> & Partial<Connections>) | undefined,
  values: Values,
  named: readonly Value[] = [],
): string[] {
  const written = VARIABLES.filter(({ isSecret }) => isSecret).map(({ name }) => values.get(name)?.text);
  const several = connections?.destinations?.map(({ connection }) => connection) ?? [];
  const used = [connections?.source, connections?.destination, ...several].flatMap((connection) => [
    connection?.credential.known,
    connection?.tls.keyPassword,
    ...(connection?.otherServers.map(({ credential }) => credential.known) ?? []),
  ]);
  const many = splitUrls(values.get('DEST_URLS')?.text ?? '').flatMap(({ url }) => url ?? []);
  const whole = [...many, ...named.map(({ text }) => text)];
  // A password in the address of a bastion is refused, and the refused value is shown by `increp config`.
  const bastions = [values.get('SOURCE_SSH'), values.get('DEST_SSH')].flatMap((value) =>
    value ? `ssh://${value.text.replace(/^ssh:\/\//i, '')}` : [],
  );
  const urls = [values.get('SOURCE_URL')?.text, values.get('DEST_URL')?.text, ...whole, ...bastions].flatMap(
    (url) => passwordIn(url),
  );
  const called = [values.get('WEBHOOK_URL'), values.get('HEALTHCHECK_URL')];
  const secrets = [
    ...used,
    ...written,
    ...whole,
    ...urls,
    ...called.flatMap((url) => secretsInUrl(url?.text)),
  ];
  return [...new Set(secrets.filter((secret) => secret !== undefined && secret !== ''))] as string[];
}

/**
 * The parts as they were written, which may differ from how other programs encode them. Also works for an invalid
 * URL.
 */
const passwordIn = (url = ''): string[] => [
  ...(/^\w+:\/\/[^:@]*:(.*)@/.exec(url)?.slice(1) ?? []),
  ...[...url.matchAll(/password\s*=\s*(?:'((?:\\[^]|[^'\\])*)'|([^\s&]+))/g)].flatMap(([, quoted, bare]) => {
    const written = quoted ?? bare ?? '';
    return [written, written.replaceAll(/\\([^])/g, '$1'), decoded(written)];
  }),
];

/** A part of a path with this length is a token, as in webhooks of chat programs. A shorter part is a word. */
const SHORTEST_TOKEN = 12;

function secretsInUrl(text: string | undefined): string[] {
  const url = text === undefined ? null : URL.parse(text);
  if (!url) return [];
  const credentials = [url.username, url.password].map(decoded);
  const tokens = [url.pathname + url.search, url.pathname.slice(1), ...url.searchParams.values()];
  return [
    url.password,
    credentials[1] ?? '',
    ...(url.username === '' ? [] : [Buffer.from(credentials.join(':')).toString('base64')]),
    ...tokens.filter((token) => token.length >= SHORTEST_TOKEN),
  ];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
