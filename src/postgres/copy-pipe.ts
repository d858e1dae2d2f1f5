/** COPY out of one server into the other. Bytes flow; they are never decoded and never held. */
import { Transform, type PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom, to as copyTo, type CopyToStreamQuery } from 'pg-copy-streams';
import { IncrepError } from '../errors.ts';
import type { CopyFormat } from '../sql/copy.ts';
import { PINNED_PATH, textOf, TO_USUAL_PATH, type Statement } from '../sql/search-path.ts';
import { broadcast, type Patience } from './broadcast.ts';
import type { Place } from './place.ts';
import { rowEstimate } from './row-estimate.ts';
import { serverError } from './server-errors.ts';

export interface Copied {
  /** As the receiving server counted them. */
  readonly rows: number;
  readonly bytes: number;
}

interface Flow {
  readonly format: CopyFormat;
  /** Called with the bytes so far, and about how many rows they are where that shows. */
  readonly onBytes: (bytes: number, rows: number | undefined) => void;
  readonly signal: AbortSignal | undefined;
}

interface Sink {
  readonly client: pg.ClientBase;
  readonly place: Place;
  readonly copyIn: string;
}

interface Tap {
  readonly client: pg.ClientBase;
  readonly place: Place;
  readonly copyOut: Statement;
}

/** A table may have an index or a column over functions of people. */
async function begin({ client, place, copyOut }: Tap): Promise<CopyToStreamQuery> {
  try {
    if (typeof copyOut !== 'string') await client.query(TO_USUAL_PATH);
  } catch (error) {
    throw serverError(error, place);
  }
  const out = client.query(copyTo(textOf(copyOut)));
  out.once('error', (error) => (error.cause ??= serverError(error, place)));
  return out;
}

/** @throws IncrepError that names the side that failed */
export async function copyBetween(
  tap: Tap,
  sink: Sink,
  flow: Flow,
): Promise<Copied & { readonly rowsSent: number }> {
  const out = await begin(tap);
  const copied = await copyInto(out, sink, flow);
  if (typeof tap.copyOut !== 'string') await tap.client.query(PINNED_PATH);
  return { ...copied, rowsSent: out.rowCount };
}

/**
 * COPY out of one server to all who receive. `told` is the number of rows that were sent, known when all have arrived.
 * @throws IncrepError
 */
export function copyToAll(
  tap: Tap,
  receivers: readonly PassThrough[],
  patience: Patience,
): { readonly told: Promise<() => number>; readonly sending: Promise<void> } {
  const begun = begin(tap);
  const sending = begun
    .then((out) => broadcast(out, receivers, patience))
    .then(() => (typeof tap.copyOut === 'string' ? undefined : tap.client.query(PINNED_PATH)))
    .then(() => undefined);
  return { told: begun.then((out) => () => out.rowCount), sending };
}

/** A stream of COPY data into a server. @throws IncrepError, or what `data` itself failed with */
export async function copyInto(data: Readable, { client, place, copyIn }: Sink, flow: Flow): Promise<Copied> {
  const into = client.query(copyFrom(copyIn));
  const meter = byteMeter(flow);
  let refusal: Error | undefined;
  into.once('error', (error) => (refusal = error));
  try {
    await pipeline(data, meter.stream, into, { ...(flow.signal && { signal: flow.signal }) });
  } catch (error) {
    // Whoever aborted has said why; what the streams make of it depends on which of them hears of it first.
    flow.signal?.throwIfAborted();
    if (error instanceof Error && error.cause instanceof IncrepError) throw error.cause;
    throw error === refusal ? serverError(error, place) : error;
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
