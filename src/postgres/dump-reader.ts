/**
 * Reads the one COPY block in the output of pg_restore. A dump is data, never a program: none of it is executed, and
 * its header must name the requested table.
 */
import { Readable } from 'node:stream';
import { IncrepError } from '../errors.ts';
import { printName, type TableName } from '../schema/names.ts';

export interface CopyBlock {
  /** In the order of the fields of a row. */
  readonly columns: readonly string[];
  /** COPY text without the end marker. */
  readonly rows: Readable;
}

const NAME = String.raw`(?:"(?:[^"]|"")*"|[^\s".,();]+)`;
const HEADER = new RegExp(
  String.raw`^COPY (${NAME})\.(${NAME}) \((${NAME}(?:, ${NAME})*)\) FROM stdin;\n`,
  'm',
);
const END = Buffer.from('\n\\.\n');
/** SET statements and comments precede the header. A longer preamble is not a dump of one table. */
const MAX_HEADER_BYTES = 4_000_000;

/** @throws IncrepError DUMP_FAILED if there is no complete block of that table */
export async function readCopyBlock(output: Readable, table: TableName): Promise<CopyBlock> {
  const chunks: AsyncIterator<Buffer> = output[Symbol.asyncIterator]();
  let seen = Buffer.alloc(0);
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
    seen = Buffer.concat([seen, next.value]);
    // In latin1, each character is one byte, so the length of a match is its length in bytes.
    const match = HEADER.exec(seen.toString('latin1'));
    if (match)
      return {
        columns: columnsOf(match, table),
        rows: Readable.from(rowsOf(seen.subarray(match.index + match[0].length), chunks, table), {
          objectMode: false,
        }),
      };
    if (seen.length > MAX_HEADER_BYTES) break;
  }
  throw broken(table, 'contains no COPY block');
}

function columnsOf(match: RegExpExecArray, table: TableName): string[] {
  const [, schema = '', name = '', columns = ''] = match;
  if (unquote(schema) !== table.schema || unquote(name) !== table.table)
    throw broken(table, 'contains another table');
  return (columns.match(new RegExp(NAME, 'g')) ?? []).map(unquote);
}

function unquote(name: string): string {
  const text = Buffer.from(name, 'latin1').toString('utf8');
  return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text;
}

/**
 * Everything up to the line that contains only the end marker. The marker may be split across chunks, so the last bytes of a
 * chunk are held. The chunks themselves are not copied.
 */
async function* rowsOf(first: Buffer, rest: AsyncIterator<Buffer>, table: TableName): AsyncGenerator<Buffer> {
  // With a line break before it, an empty block ends like any other. The line break is no part of the rows.
  let held: Buffer = Buffer.from('\n');
  let isStart = true;
  let chunk = first;
  for (;;) {
    const { parts, isEnd, tail } = splitAtEnd(held, chunk);
    for (const part of parts) {
      const rows = isStart ? part.subarray(1) : part;
      if (part.length > 0) isStart = false;
      if (rows.length > 0) yield rows;
    }
    if (isEnd) return drain(rest);
    held = tail;
    const next = await rest.next();
    if (next.done === true) throw broken(table, 'ends in the middle of its rows');
    chunk = next.value;
  }
}

/** `tail`: the last bytes, which may be the beginning of the end marker. They are not in `parts`. */
interface SplitChunk {
  readonly parts: readonly Buffer[];
  readonly isEnd: boolean;
  readonly tail: Buffer;
}

const MOST_HELD = END.length - 1;

function splitAtEnd(held: Buffer, chunk: Buffer): SplitChunk {
  const edge = Buffer.concat([held, chunk.subarray(0, MOST_HELD)]);
  const isShort = chunk.length <= MOST_HELD;
  const atEdge = edge.indexOf(END);
  if (atEdge !== -1) return { parts: [edge.subarray(0, atEdge + 1)], isEnd: true, tail: Buffer.alloc(0) };
  if (isShort) {
    const from = Math.max(0, edge.length - MOST_HELD);
    return { parts: [edge.subarray(0, from)], isEnd: false, tail: edge.subarray(from) };
  }
  const end = chunk.indexOf(END);
  if (end !== -1) return { parts: [held, chunk.subarray(0, end + 1)], isEnd: true, tail: Buffer.alloc(0) };
  const from = chunk.length - MOST_HELD;
  return { parts: [held, chunk.subarray(0, from)], isEnd: false, tail: Buffer.from(chunk.subarray(from)) };
}

/** Reads and discards the rest, so that pg_restore can end. */
async function drain(rest: AsyncIterator<Buffer>): Promise<void> {
  let next = await rest.next();
  while (next.done !== true) next = await rest.next();
}

const broken = (table: TableName, why: string): IncrepError =>
  new IncrepError('DUMP_FAILED', {
    what: `the dump of ${printName(table)} ${why}`,
    next: 'Set "initial_load" to "copy" for this table. It does not need pg_dump.',
  });
