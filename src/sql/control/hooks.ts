/** Hooks of other programs. Parameters are in the order of the comments. */
import { CONTROL_SCHEMA as S } from './schema.ts';

/** id, name, pipeline, tables, by. */
export const ADD_HOOK = /* sql */ `
  INSERT INTO ${S}.hooks (id, name, pipeline, tables, made_by) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (name) WHERE removed_at IS NULL DO NOTHING RETURNING id`;

const HOOK = 'id, name, pipeline, tables, made_by AS "madeBy", made_at AS "madeAt"';

export const LIST_HOOKS = /* sql */ `
  SELECT ${HOOK} FROM ${S}.hooks WHERE removed_at IS NULL ORDER BY made_at DESC, id`;

/** id. */
export const FIND_HOOK = /* sql */ `SELECT ${HOOK} FROM ${S}.hooks WHERE id = $1 AND removed_at IS NULL`;

/** id. */
export const REMOVE_HOOK = /* sql */ `
  UPDATE ${S}.hooks SET removed_at = now() WHERE id = $1 AND removed_at IS NULL RETURNING id`;

/** hook, message. No row if the message has come before. */
export const ADD_MESSAGE = /* sql */ `
  INSERT INTO ${S}.hook_messages (hook, message) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING hook`;

/** hook, message, run. */
export const SET_MESSAGE_RUN = /* sql */ `
  UPDATE ${S}.hook_messages SET run_id = $3 WHERE hook = $1 AND message = $2`;

/** hook, message. */
export const FIND_MESSAGE_RUN = /* sql */ `
  SELECT run_id AS run FROM ${S}.hook_messages WHERE hook = $1 AND message = $2`;
