/** `sync-state/report.outcomes.json`: whether the webhook and the healthcheck accepted the last message. */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { changeOptional, readOptional } from './optional-file.ts';

/** No table's state has this name: a full stop in a table's name is encoded. */
export const REPORT_OUTCOMES_FILE = 'report.outcomes.json';

const outcomeSchema = z.object({
  /** A digest of the URL, which is a secret. */
  address: z.string(),
  /** Why the last message was not accepted. Null if it was. */
  failure: z.string().nullable(),
  /** RFC 3339. */
  failedAt: z.string().nullable(),
  acceptedAt: z.string().nullable(),
});
export type ReportOutcome = Readonly<z.infer<typeof outcomeSchema>>;

const fileSchema = z.object({
  format: z.literal(1),
  webhook: outcomeSchema.optional(),
  healthcheck: outcomeSchema.optional(),
});
export type ReportOutcomes = Pick<z.infer<typeof fileSchema>, 'webhook' | 'healthcheck'>;
export type ReportTarget = keyof ReportOutcomes;

export const readReportOutcomes = async (directory: string): Promise<ReportOutcomes> =>
  (await readOptional(directory, REPORT_OUTCOMES_FILE, fileSchema)) ?? {};

/** `failure` is undefined if the message was accepted. */
export interface NewOutcome {
  readonly url: string;
  readonly failure: string | undefined;
}

const addressOf = (url: string): string => createHash('sha256').update(url).digest('hex').slice(0, 16);

export const isAt = ({ address }: ReportOutcome, url: string): boolean => address === addressOf(url);

export async function noteReports(
  directory: string,
  reports: ReadonlyMap<ReportTarget, NewOutcome>,
  now = new Date(),
): Promise<void> {
  if (reports.size === 0) return;
  await changeOptional({
    ...{ directory, name: REPORT_OUTCOMES_FILE, schema: fileSchema },
    change: (found = { format: 1 as const }) =>
      [...reports].reduce(
        (outcomes, [target, report]) => ({ ...outcomes, [target]: after(found[target], report, now) }),
        found,
      ),
  });
}

function after(before: ReportOutcome | undefined, { url, failure }: NewOutcome, now: Date): ReportOutcome {
  const known = before && isAt(before, url) ? before : undefined;
  const address = addressOf(url);
  const at = now.toISOString();
  return failure === undefined
    ? { address, failure: null, failedAt: known?.failedAt ?? null, acceptedAt: at }
    : { address, failure, failedAt: at, acceptedAt: known?.acceptedAt ?? null };
}
