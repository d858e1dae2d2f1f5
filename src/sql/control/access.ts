/** Tokens, sessions and the audit of the service. Parameters are in the order of the comments. */
import { CONTROL_SCHEMA as S } from './schema.ts';

/** True for a token `t` that may be used. */
const IS_VALID = /* sql */ `t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())`;

const ACTOR = /* sql */ `t.id AS "tokenId", t.name, t.role, t.pipelines`;

/** True for a standby. */
export const IS_READ_ONLY = /* sql */ `SELECT current_setting('transaction_read_only') = 'on' AS "isReadOnly"`;

/** id. */
export const FIND_TOKEN = /* sql */ `SELECT ${ACTOR}, t.digest FROM ${S}.tokens t WHERE t.id = $1 AND ${IS_VALID}`;

/** id: once a minute at most, because each request uses the token. */
export const MARK_TOKEN_USED = /* sql */ `
  UPDATE ${S}.tokens SET used_at = now()
  WHERE id = $1 AND (used_at IS NULL OR used_at < now() - interval '1 minute')`;

/** digest. */
export const FIND_SESSION = /* sql */ `
  SELECT ${ACTOR} FROM ${S}.sessions s JOIN ${S}.tokens t ON t.id = s.token_id
  WHERE s.digest = $1 AND s.expires_at > now() AND ${IS_VALID}`;

/** digest, token, seconds. */
export const ADD_SESSION = /* sql */ `
  INSERT INTO ${S}.sessions (digest, token_id, expires_at) VALUES ($1, $2, now() + make_interval(secs => $3))`;

/** digest. */
export const REMOVE_SESSION = /* sql */ `DELETE FROM ${S}.sessions WHERE digest = $1`;

/** actor, token, action, pipeline, table, status, detail. */
export const ADD_AUDIT = /* sql */ `
  INSERT INTO ${S}.audit (actor, token_id, action, pipeline, table_name, status, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)`;

/** id, name, digest, role, pipelines, by, seconds until it expires. */
export const ADD_TOKEN = /* sql */ `
  INSERT INTO ${S}.tokens (id, name, digest, role, pipelines, made_by, expires_at)
  VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))
  ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING
  RETURNING expires_at AS "expiresAt"`;

export const LIST_TOKENS = /* sql */ `
  SELECT id, name, role, pipelines, made_by AS "madeBy", made_at AS "madeAt", expires_at AS "expiresAt", used_at AS "usedAt",
    coalesce(expires_at <= now(), false) AS "hasExpired"
  FROM ${S}.tokens WHERE revoked_at IS NULL ORDER BY made_at DESC, id`;

/** id or name. */
export const REVOKE_TOKEN = /* sql */ `
  UPDATE ${S}.tokens SET revoked_at = now() WHERE revoked_at IS NULL AND (id = $1 OR name = $1) RETURNING id, name`;
