/** Links to actions. Each one leads to a question that says what the action will do. Pure. */
import { html } from 'hono/html';
import { hasRole, type Actor, type Role } from '../access/roles.ts';
import type { Html } from './html.ts';
import { pipelinePath, withQuery } from './links.ts';

export type ActionName = 'sync' | 'verify' | 'full-refresh' | 'reset' | 'pause' | 'resume' | 'delete';

interface Target {
  /** Null for everything. */
  readonly pipeline: string | null;
  readonly table?: string;
}

const LABELS: Readonly<Record<ActionName, string>> = {
  sync: 'Sync now',
  verify: 'Verify',
  'full-refresh': 'Full refresh',
  reset: 'Reset',
  pause: 'Pause',
  resume: 'Resume',
  delete: 'Delete',
};

export const ACTION_ROLES: Readonly<Record<ActionName, Role>> = {
  ...{ sync: 'operate', verify: 'operate', 'full-refresh': 'operate', reset: 'admin' },
  ...{ pause: 'operate', resume: 'operate', delete: 'admin' },
};

/** Screen readers hear what the action is about. */
const nameOf = ({ pipeline, table }: Target): string => table ?? pipeline ?? 'everything';

export function actionPath(action: ActionName, { pipeline, table = '' }: Target): string {
  const base = pipeline === null ? '' : pipelinePath(pipeline);
  return withQuery(`${base}/do/${action}`, { table });
}

/** Only what the actor may do. */
export function actionLinks(actor: Actor, actions: readonly ActionName[], target: Target): Html {
  const allowed = actions.filter((action) => mayDo(actor, action, target));
  return html`<div class="actions">
    ${allowed.map(
      (action) =>
        html`<a class="button" href="${actionPath(action, target)}" rel="nofollow"
          >${LABELS[action]}<span class="${target.pipeline === null ? '' : 'unseen'}">
            ${nameOf(target)}</span
          ></a
        >`,
    )}
  </div>`;
}

/** Actions that a token with a limit to pipelines may not use, whatever the pipeline. */
export const isForAll = (action: ActionName): boolean => action === 'delete';

const mayDo = (actor: Actor, action: ActionName, { pipeline }: Target): boolean =>
  hasRole(actor, ACTION_ROLES[action]) &&
  (actor.pipelines === null || (pipeline !== null && !isForAll(action)));
