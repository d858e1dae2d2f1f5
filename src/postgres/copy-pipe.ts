/** Copies data from one server to another by COPY. The bytes are never decoded and never held. */
import { Transform, type PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { IncrepError } from '../errors.ts';
import type { CopyFormat } from '../sql/copy.ts';
import { PINNED_PATH, textOf, TO_USUAL_PATH, type Statement } from '../sql/search-path.ts';
import { broadcast, type ReceiverLimit } from './broadcast.ts';
import { sendBefore } from './driver.ts';
import type { Endpoint } from './endpoint.ts';
import { rowEstimate } from './row-estimate.ts';
import { serverError } from './server-errors.ts';

export interface Copied {
  /** As counted by the receiving server. */
  readonly rows: number;
  readonly bytes: number;
}

interface Flow {
  readonly format: CopyFormat;
  /** Called with the bytes so far and an estimate of the rows, if there is one. */
  readonly onBytes: (bytes: number, rows: number | undefined) => void;
  readonly signal: AbortSignal | undefined;
}

interface Sink {
  readonly client: pg.ClientBase;
  readonly endpoint: Endpoint;
  readonly copyIn: string;
}

interface Tap {
  readonly client: pg.ClientBase;
  readonly endpoint: Endpoint;
  readonly copyOut: Statement;
}

export interface Outflow {
  readonly data: Readable;
  /**
   * The number of rows, once the server has reported it and accepts the next statement. Both can come after the last
   * row.
   */
  readonly sent: Promise<number>;
}

/** `text` is COPY ... TO STDOUT, followed by any other statements. `before`: statements that are sent with it. */
export function startCopyOut(client: pg.ClientBase, text: string, before?: string): Outflow {
  const data = client.query(before === undefined ? copyTo(text) : sendBefore(before, copyTo(text)));
  const { promise: sent, resolve, reject } = Promise.withResolvers<number>();
  data.once('error', reject);
  // The driver calls this method.
  Object.assign(data, { handleReadyForQuery: () => resolve(data.rowCount) });
  // The reader of the data handles the error.
  sent.catch(() => undefined);
  return { data, sent };
}

/**
 * A table may have an index or a column with functions of users. The search_path for them is set before the COPY. With the
 * last row, the previous search_path is set again.
 */
function begin({ client, endpoint, copyOut }: Tap): Outflow {
  const text = textOf(copyOut);
  const outflow =
    typeof copyOut === 'string'
      ? startCopyOut(client, text)
      : startCopyOut(client, `${text}; ${PINNED_PATH}`, TO_USUAL_PATH);
  outflow.data.once('error', (error) => (error.cause ??= serverError(error, endpoint)));
  return outflow;
}

/** @throws IncrepError that names the side that failed */
export async function copyBetween(
  tap: Tap,
  sink: Sink,
  flow: Flow,
): Promise<Copied & { readonly rowsSent: number }> {
  const { data, sent } = begin(tap);
  const copied = await copyInto(data, sink, flow);
  return { ...copied, rowsSent: await sent };
}

/** Copies from one server to all receivers. @throws IncrepError */
export function copyToAll(
  tap: Tap,
  receivers: readonly PassThrough[],
  limit: ReceiverLimit,
): { readonly result: Promise<RowsSent>; readonly sending: Promise<unknown> } {
  const { data, sent } = begin(tap);
  const sending = broadcast(data, receivers, limit).then(() => sent);
  return { result: Promise.resolve({ rows: sent }), sending };
}

/** An object, because a promise that resolves to a promise would wait for it. */
export interface RowsSent {
  readonly rows: Promise<number>;
}

/** Sends a stream of COPY data to a server. @throws IncrepError, or the error of `data` itself */
export async function copyInto(
  data: Readable,
  { client, endpoint, copyIn }: Sink,
  flow: Flow,
): Promise<Copied> {
  const into = client.query(copyFrom(copyIn));
  const meter = byteMeter(flow);
  // The pipeline passes the error of one stream on to the others, so the first stream with an error is the one that failed.
  let failure: { readonly refusal: IncrepError | undefined } | undefined;
  data.once('error', () => (failure ??= { refusal: undefined }));
  into.once('error', (error) => (failure ??= { refusal: serverError(error, endpoint) }));
  try {
    await pipeline(data, meter.stream, into, { ...(flow.signal && { signal: flow.signal }) });
  } catch (error) {
    // The abort reason comes first, because the error of a stream depends on which stream notices the abort first.
    flow.signal?.throwIfAborted();
    if (failure?.refusal) throw failure.refusal;
    throw error instanceof Error && error.cause instanceof IncrepError ? error.cause : error;
  }
  return { rows: into.rowCount, bytes: meter.bytes() };
}

function byteMeter({ format, onBytes }: Flow): { stream: Transform; bytes: () => number } {
  let bytes = 0;
  const estimate = rowEstimate(format);
  const stream = new Transform({
    highWaterMark: 1 << 18,
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      estimate.see(chunk);
      onBytes(bytes, estimate.rows(bytes));
      done(null, chunk);
    },
  });
  return { stream, bytes: () => bytes };
}
