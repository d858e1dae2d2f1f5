/** `increp token`: creates, lists and revokes tokens of the API. */
import { resolve } from 'node:path';
import { userInfo } from 'node:os';
import { readServiceSettings } from '../config/service/control-database.ts';
import { IncrepError } from '../errors.ts';
import { withoutSecrets } from '../pipeline/context.ts';
import { asControlError, ControlDatabase } from '../postgres/control-database.ts';
import { redactor } from '../redact.ts';
import { formatColumns } from '../report/columns.ts';
import { localTime } from '../report/local-time.ts';
import { FORMAT_VERSION } from '../report/summary-json.ts';
import { createToken, listTokens, revokeToken, type ListedToken } from '../serve/actions/tokens.ts';
import type { Role } from '../serve/access/roles.ts';
import { ensureControlTables } from '../serve/install.ts';
import { RefusedRequest } from '../serve/refusal.ts';
import type { GlobalOptions } from './terminal/options.ts';

export interface TokenOptions extends GlobalOptions {
  readonly role: Role | undefined;
  readonly pipeline: readonly string[];
  /** Seconds. */
  readonly expires: number | undefined;
  readonly name: string | undefined;
  readonly json: boolean;
}

type TokenAction = 'create' | 'list' | 'revoke';

export async function tokenCommand(
  [action = 'list']: readonly TokenAction[],
  options: TokenOptions,
): Promise<number> {
  ensureWhole(action, options);
  const { workingDirectory, environment, timing } = options;
  const settings = await readServiceSettings(resolve(workingDirectory), environment);
  await using control = new ControlDatabase(settings.control, { program: 'token', connections: 1, timing });
  try {
    await ensureControlTables(control);
    await ACTIONS[action](control, options);
    return 0;
  } catch (error) {
    if (error instanceof RefusedRequest) throw usage(error.message, error.hint);
    throw withoutSecrets(asControlError(error, control.endpoint), redactor(settings.secrets));
  }
}

/** @throws IncrepError USAGE */
function ensureWhole(action: TokenAction, { role, name, pipeline, expires }: TokenOptions): void {
  if (action === 'create' && role === undefined)
    throw usage('create needs --role', 'Name a role: increp token create --role read');
  if (action === 'revoke' && name === undefined)
    throw usage('revoke needs --name', 'For the names, see "increp token list".');
  const isMade = role !== undefined || pipeline.length > 0 || expires !== undefined;
  if (action !== 'create' && isMade)
    throw usage(
      `--role, --pipeline and --expires are options of "create"`,
      `Leave them out: increp token ${action}`,
    );
}

const usage = (what: string, next: string) => new IncrepError('USAGE', { what, next });

type Act = (control: ControlDatabase, options: TokenOptions) => Promise<void>;

const create: Act = async (control, { role = 'read', pipeline, expires, name, json, terminal }) => {
  const pipelines = pipeline.length === 0 ? null : pipeline;
  const by = `${userInfo().username} (increp token)`;
  const made = await createToken(control, { name, role, pipelines, expiresInSeconds: expires, by });
  const { id, text, expiresAt } = made;
  if (json) {
    const document = { id, name: made.name, role, pipelines, expires_at: expiresAt, token: text };
    return terminal.out(
      `${JSON.stringify({ type: 'token', format_version: FORMAT_VERSION, ...document })}\n`,
    );
  }
  const end = expiresAt ? `until ${localTime(expiresAt)}` : 'without an end';
  terminal.say(`token ${made.name}, role ${role}, ${end}. The token is shown only once:\n`);
  terminal.out(`${text}\n`);
};

const list: Act = async (control, { json, terminal }) => {
  const tokens = await listTokens(control);
  if (json) {
    const documents = tokens.map(toJson);
    return terminal.out(
      `${JSON.stringify({ type: 'tokens', format_version: FORMAT_VERSION, tokens: documents })}\n`,
    );
  }
  if (tokens.length === 0)
    return terminal.say('There are no tokens. Make one: increp token create --role read\n');
  const titles = ['name', 'role', 'pipelines', 'used', 'expires', 'made by'].map((title) => ({ title }));
  const rows = tokens.map(({ name, role, pipelines, usedAt, expiresAt, hasExpired, madeBy }) => [
    ...[name, role, pipelines?.join(', ') ?? 'all'],
    ...[
      usedAt ? localTime(usedAt) : 'never',
      hasExpired ? 'expired' : expiresAt ? localTime(expiresAt) : 'never',
    ],
    madeBy,
  ]);
  terminal.out(`${formatColumns(titles, rows, terminal.style).join('\n')}\n`);
};

const toJson = ({ madeBy, madeAt, expiresAt, usedAt, hasExpired, ...token }: ListedToken) => ({
  ...token,
  ...{ made_by: madeBy, made_at: madeAt, expires_at: expiresAt, used_at: usedAt, has_expired: hasExpired },
});

const revoke: Act = async (control, { name = '', json, terminal }) => {
  const revoked = await revokeToken(control, name);
  if (json)
    return terminal.out(
      `${JSON.stringify({ type: 'token-revoked', format_version: FORMAT_VERSION, ...revoked })}\n`,
    );
  terminal.say(`token ${revoked.name} was revoked, and its sessions have ended\n`);
};

const ACTIONS: Readonly<Record<TokenAction, Act>> = { create, list, revoke };
