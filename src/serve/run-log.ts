/** The log of an attempt, for the page and the API: the lines that `increp sync` would write. */
import type { Logger } from 'pino';
import * as z from 'zod';
import { createLogger } from '../observe/log.ts';
import type { ControlSession } from '../postgres/control-database.ts';
import type { Redact } from '../redact.ts';
import { ADD_LOG_LINES } from '../sql/control/logs.ts';
import type { ClaimedJob } from './claim.ts';

/** A load of a thousand chunks would fill pages. */
const MOST_LINES = 1000;

const record = z
  .looseObject({
    level: z.enum(['debug', 'info', 'warn', 'error']),
    time: z.string(),
    msg: z.string().default(''),
    table: z.string().optional(),
  })
  .transform(({ level, time, msg, table, ...fields }) => ({
    ...{ level, at: time, message: msg, table_name: table ?? null, fields },
  }));

export class RunLog {
  readonly #claim: ClaimedJob;
  #lines: z.infer<typeof record>[] = [];
  #count = 0;

  constructor(claim: ClaimedJob) {
    this.#claim = claim;
  }

  /** A look at a thousand tables has nothing to say of most of them. */
  openLogger(redact: Redact): Promise<Logger> {
    const level = this.#claim.kind === 'look' ? 'warn' : 'debug';
    return createLogger({
      ...{ log: { level, format: 'json' }, level, base: {}, redact, isTerminal: false, color: false },
      say: (text) => this.#add(text),
    });
  }

  #add(text: string): void {
    this.#count += 1;
    if (this.#count > MOST_LINES) return;
    const line = record.parse(JSON.parse(text));
    const isLast = this.#count === MOST_LINES;
    this.#lines.push(isLast ? { ...line, message: `${line.message} (the log is full)` } : line);
  }

  /** Writes what has come since the last call. */
  async flush(control: ControlSession): Promise<void> {
    if (this.#lines.length === 0) return;
    const { attempt, pipeline } = this.#claim;
    const lines = this.#lines;
    this.#lines = [];
    try {
      await control.query(ADD_LOG_LINES, [attempt, pipeline, JSON.stringify(lines)]);
    } catch (error) {
      this.#lines = [...lines, ...this.#lines];
      throw error;
    }
  }
}
