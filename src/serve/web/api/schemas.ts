/** Types of the API that many routes have. */
import { z } from '@hono/zod-openapi';
import { DURATION_FORMS, parseDuration } from '../../../duration.ts';

/** Of a token, a pipeline or a connection. */
export const nameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_.-]{0,62}$/i, { error: '1 to 63 letters, digits, ".", "-" and "_"' });

export const inPipeline = z.object({ pipeline: nameSchema });

/** The name of a table as in tables-config.json. */
const tableSchema = z.string().min(1).max(300);
export const inTable = inPipeline.extend({ table: tableSchema });
export const tablesSchema = z.array(tableSchema).min(1).max(10_000);

export const failure = z.looseObject({ code: z.string(), message: z.string(), hint: z.string() });

export const blocker = failure
  .extend({ since: z.iso.datetime().nullable() })
  .describe('Why the run waits: no worker can serve its pipeline, since this time.');

/** The answer to a request that a worker does later. */
export const requested = z.object({
  run: z.uuid().describe('GET /api/v1/runs/{run} shows what becomes of it.'),
  blocked_by: blocker.optional(),
});

const LARGEST_PAGE = 500;
/** Parameters of a query are text. */
export const limitSchema = (usual: number) => z.coerce.number().int().min(1).max(LARGEST_PAGE).default(usual);
export const offsetSchema = z.coerce.number().int().min(0).max(1_000_000).default(0);

/** Of a row that has a number. */
export const idSchema = z
  .string()
  .regex(/^\d{1,18}$/, { error: 'the "id" of a row' })
  .describe('Only rows that are older than this row.');

/** Seconds, after it was read. */
export const durationSchema = z
  .string()
  .transform((text, context) => {
    const seconds = parseDuration(text);
    if (seconds === undefined || seconds === 0) context.addIssue(DURATION_FORMS);
    return seconds ?? z.NEVER;
  })
  .openapi({ type: 'string', example: '90d' });

export const timeSchema = z.iso.datetime().openapi({ example: '2030-01-31T09:30:00.000Z' });

export const timeOf = <T extends Date | null>(time: T) =>
  (time?.toISOString() ?? null) as T extends Date ? string : string | null;
