/** Who may do what. Pure. */

export const ROLES = ['trigger', 'read', 'operate', 'admin'] as const;

/** Each role may do what the roles before it may. */
export type Role = (typeof ROLES)[number];

/** What a route asks for. `open` needs no token. */
export type Access = Role | 'open';

/** The owner of a request. */
export interface Actor {
  readonly tokenId: string;
  /** The name of the token. */
  readonly name: string;
  readonly role: Role;
  /** Null means all pipelines. */
  readonly pipelines: readonly string[] | null;
}

/** Whether the role is enough, whatever the pipeline. */
export const hasRole = ({ role }: Pick<Actor, 'role'>, needed: Role): boolean =>
  ROLES.indexOf(role) >= ROLES.indexOf(needed);

export const mayUsePipeline = ({ pipelines }: Pick<Actor, 'pipelines'>, pipeline: string): boolean =>
  pipelines === null || pipelines.includes(pipeline);
