/** Reports on stderr what `status` and `history` could not read. The result itself is on stdout. */
import type { IncrepError } from '../../errors.ts';
import { formatCounted, LISTED, listedNames, nameInList } from '../../format.ts';
import type { Redact } from '../../redact.ts';
import { CHECK_URL, TEST_WEBHOOK } from '../../pipeline/run-listeners.ts';
import type { ReportFailure, ReportFailures } from '../../status/report-failures.ts';
import { formatAge } from '../../report/age.ts';
import { cannotBeReached, nextStep } from '../../report/error.ts';
import { ALIKE, isRecorded } from '../../report/same-failure.ts';
import { printable, printableLine, wrapLines } from '../../report/text.ts';
import type { RunRecord } from '../../schema/run-record.ts';
import { stalledReplay } from '../../sync/facts/standby-replay.ts';
import { userName } from '../../ownership.ts';
import type { Context } from './context.ts';
import type { Terminal } from '../terminal/terminal.ts';

interface Unread {
  /** The name, if there are several destinations. */
  readonly destination?: string | undefined;
  readonly isLocal: boolean;
  readonly unreachable: IncrepError | undefined;
  readonly sourceError?: IncrepError | undefined;
  readonly historyError: IncrepError | undefined;
  /** A later warning has its fix, which is the fix for unreadable state files too. */
  readonly unwritable?: IncrepError | undefined;
  /** Tables about which some facts are missing. */
  readonly tables?: readonly UnreadTable[];
  /** The failures of the tables were printed. */
  readonly hasFailures?: boolean;
}

interface UnreadTable {
  readonly name: string;
  readonly problem: IncrepError | undefined;
  readonly lastFailure?: RunRecord | undefined;
}

interface Speaker extends Pick<Context, 'redact'> {
  readonly terminal: Pick<Terminal, 'say' | 'sayStyle'>;
}

const sayText = ({ terminal: { say, sayStyle }, redact }: Speaker, text: string): void =>
  say(`${wrapLines(printable(redact(text)), sayStyle)}\n`);

function sayProblem(text: string, { next }: Pick<IncrepError, 'next'>, { terminal, redact }: Speaker): void {
  sayText({ terminal, redact }, text);
  terminal.say(`${nextStep(redact(next), terminal.sayStyle)}\n`);
}

/** Prints the warnings about the patterns of tables-config.json. */
export function sayRemarks(remarks: readonly string[], speaker: Speaker): void {
  for (const remark of remarks) sayText(speaker, `warning: ${remark}`);
}

/** A standby that does not replay changes makes a pipeline look idle. The pipelines of a context share their source. */
export async function warnStandby({ pipelines: [pipeline], ...speaker }: Context): Promise<void> {
  const replay = pipeline && (await stalledReplay(pipeline.runContext.source));
  if (replay) sayProblem(`warning: ${replay.what}`, replay, speaker);
}

/** A webhook or a healthcheck that fails silently looks like a pipeline without failures. */
export function warnUnreported(failures: ReportFailures, now: Date, speaker: Speaker): void {
  const age = (at: Date) => `${formatAge((now.getTime() - at.getTime()) / 1000)} ago`;
  const warn = (failure: ReportFailure | undefined, next: string) => {
    if (!failure) return;
    const { message, failedAt, acceptedAt } = failure;
    const last = acceptedAt
      ? `the last accepted message was ${age(acceptedAt)}`
      : 'no message was accepted yet';
    sayProblem(`warning (${age(failedAt)}): ${message}; ${last}`, { next }, speaker);
  };
  warn(failures.webhook, TEST_WEBHOOK);
  warn(failures.healthcheck, CHECK_URL);
}

/** In the last line of a command that only reads. */
export const unwritableWords = (fault: IncrepError | undefined): string | undefined =>
  fault && `${wouldFail()} (${fault.code})`;

const wouldFail = (): string => `a sync by user "${userName()}" would fail`;

/** A command that only reads works with a state directory that a sync could not write. */
export function warnUnwritable(fault: IncrepError | undefined, speaker: Speaker): void {
  if (!fault) return;
  const text = `warning: ${wouldFail()}: ${fault.message}. Failures that only the state directory has recorded may be missing here`;
  sayProblem(text, fault, speaker);
}

/** A plan is useful even if every sync fails until the user has fixed the destination. */
export function warnRefused(refusal: IncrepError | undefined, speaker: Speaker): void {
  if (!refusal) return;
  sayProblem(`warning: a sync would fail before its first table: ${refusal.message}`, refusal, speaker);
}

export function warnUnreachable(
  {
    destination,
    isLocal,
    unreachable,
    sourceError,
    historyError,
    unwritable,
    tables = [],
    hasFailures = false,
  }: Unread,
  { say, sayStyle }: Pick<Terminal, 'say' | 'sayStyle'>,
  redact: Redact,
): void {
  const speaker = { terminal: { say, sayStyle }, redact };
  const line = (what: string, error: IncrepError) => sayProblem(`${what}${error.message}`, error, speaker);
  const reason = (what: string, error: IncrepError) => {
    const same = hasFailures ? tables.filter((table) => hasFailedWith(table, error)) : [];
    const [first] = same;
    // `status` prints the error of a group of tables at its end, with their number and this code.
    const where =
      first && same.length < ALIKE
        ? printableLine(nameInList(first.name))
        : `${formatCounted(same.length, 'table')} (${error.code})`;
    if (first) sayText(speaker, `${what}. The reason is the error of ${where}.`);
    else line(`${what}. The reason: `, error);
  };
  if (isLocal) say('note: only the state directory was read (--local)\n');
  if (unreachable)
    reason(
      `warning: ${cannotBeReached('destination', unreachable, destination)}, so only the state directory was read`,
      unreachable,
    );
  if (sourceError) reason('note: schema changes were not checked', sourceError);
  if (historyError) line('warning: ', historyError);
  const incomplete = tables.flatMap(({ name, problem }) => (problem ? [{ name, problem }] : []));
  // Unreadable state files have the same fix, and each message has another path.
  for (const same of Map.groupBy(incomplete, ({ problem }) => `${problem.code} ${problem.next}`).values()) {
    const [first] = same;
    const names = listedNames(
      same.map(({ name }) => name),
      LISTED,
    );
    const what = `warning: the status of ${names} is incomplete: `;
    if (first && unwritable && first.problem.code === 'STATE_NOT_WRITABLE')
      sayText(speaker, `${what}${first.problem.message}`);
    else if (first) line(what, first.problem);
  }
}

const hasFailedWith = ({ lastFailure }: UnreadTable, error: IncrepError): boolean =>
  lastFailure !== undefined &&
  isRecorded(error, { code: lastFailure.error_code, message: lastFailure.error_message });
