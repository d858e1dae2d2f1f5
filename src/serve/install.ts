/** The schemas in the control database: `serve` creates and migrates them, `work` only checks them. */
import * as z from 'zod';
import { IncrepError } from '../errors.ts';
import type { ControlDatabase, ControlSession } from '../postgres/control-database.ts';
import {
  CONTROL_SCHEMA,
  CONTROL_VERSION,
  CONTROL_VERSION_FOUND,
  controlSql,
  FIND_SCHEMAS,
  QUEUE_SCHEMA,
  QUEUE_VERSION_FOUND,
} from '../sql/control/schema.ts';
import { queueSql, QUEUE_VERSION } from './queue.ts';

interface FoundVersions {
  /** Undefined if the schema is missing. */
  readonly control: number | undefined;
  readonly queue: number | undefined;
}

const schemaRow = z.object({ schema: z.string() });
const versionRow = z.object({ version: z.number() });

export async function findVersions(session: ControlSession): Promise<FoundVersions> {
  const schemas = z.array(schemaRow).parse((await session.query(FIND_SCHEMAS)).rows);
  const versionIn = async (schema: string, statement: string) =>
    schemas.some((each) => each.schema === schema)
      ? versionRow.optional().parse((await session.query(statement)).rows[0])?.version
      : undefined;
  return {
    control: await versionIn(CONTROL_SCHEMA, CONTROL_VERSION_FOUND),
    queue: await versionIn(QUEUE_SCHEMA, QUEUE_VERSION_FOUND),
  };
}

/** The statements that are missing, for an administrator. Empty if there are none. */
export async function missingSql({ control, queue }: FoundVersions): Promise<string> {
  const own = controlSql(control);
  const parts = [await queueSql(queue), own === '' ? '' : `BEGIN;\n${own}\nCOMMIT;\n`];
  return parts.filter((part) => part !== '').join('\n');
}

/** A newer version of increp has been here. @throws IncrepError CONFIG_INVALID */
export function ensureNotNewer({ control = 0, queue = 0 }: FoundVersions): void {
  if (control <= CONTROL_VERSION && queue <= QUEUE_VERSION) return;
  throw new IncrepError('CONFIG_INVALID', {
    what: `the control database was made by a newer increp (${versionsText({ control, queue })})`,
    next: 'Install the same version of increp on every machine of the service.',
  });
}

/** @throws IncrepError CONFIG_INVALID */
export function ensureCurrent(found: FoundVersions): void {
  ensureNotNewer(found);
  if (found.control === CONTROL_VERSION && found.queue === QUEUE_VERSION) return;
  const isMissing = found.control === undefined || found.queue === undefined;
  throw new IncrepError('CONFIG_INVALID', {
    what: isMissing
      ? 'the control database has no tables of increp yet'
      : `the control database has an older version (${versionsText(found)})`,
    next: 'Start "increp serve" of this version first. It creates and migrates the tables. To print the statements, run "increp serve --print-sql".',
  });
}

const versionsText = ({ control, queue }: FoundVersions): string =>
  `${CONTROL_SCHEMA} ${control ?? 'missing'}, this version needs ${CONTROL_VERSION}; ${QUEUE_SCHEMA} ${queue ?? 'missing'}, this version needs ${QUEUE_VERSION}`;

/** For `increp token`, which works before the first `serve`. @throws IncrepError CONFIG_INVALID */
export async function ensureControlTables(control: ControlDatabase): Promise<void> {
  const found = await findVersions(control);
  ensureNotNewer(found);
  if (found.control === CONTROL_VERSION) return;
  if (found.control !== undefined) ensureCurrent(found);
  await control.transaction(createControl);
}

/** Creates and migrates the tables. Two `serve` that start at the same time take turns. */
export async function createControl(session: ControlSession): Promise<void> {
  await session.query(`SELECT pg_advisory_xact_lock(hashtextextended('increp schema', 0))`);
  const { control } = await findVersions(session);
  if (control === undefined || control < CONTROL_VERSION) await session.query(controlSql(control));
}
