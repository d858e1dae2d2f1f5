/**
 * Estimates the number of rows in a stream of COPY data. It counts the rows at the beginning, and extrapolates by
 * bytes.
 */
import type { CopyFormat } from '../sql/copy.ts';

/** Bytes that are scanned. To scan all of them would cost as much as to send them. */
const LOOKED_AT = 1 << 18;
/** Before the first row: a signature of 11 bytes, flags, and the length of an extension, which no server sends. */
const BINARY_HEADER = 19;
const LINE_FEED = 10;

export interface RowEstimate {
  readonly see: (chunk: Buffer) => void;
  /** Undefined until the first complete row. */
  readonly rows: (bytes: number) => number | undefined;
}

export function rowEstimate(format: CopyFormat): RowEstimate {
  const rowsOf = format === 'text' ? rowsOfText : rowsOfBinary;
  let head: Buffer = Buffer.alloc(0);
  let counted = { rows: 0, bytes: 0 };
  return {
    see: (chunk) => {
      if (head.length >= LOOKED_AT) return;
      head = Buffer.concat([head, chunk.subarray(0, LOOKED_AT)]);
      counted = rowsOf(head);
    },
    rows: (bytes) => (counted.rows === 0 ? undefined : Math.floor((bytes * counted.rows) / counted.bytes)),
  };
}

/** A line feed inside a value is printed as \n, so each line feed ends a row. */
function rowsOfText(head: Buffer): { rows: number; bytes: number } {
  let rows = 0;
  let bytes = 0;
  for (let at = head.indexOf(LINE_FEED); at !== -1; at = head.indexOf(LINE_FEED, bytes)) {
    rows += 1;
    bytes = at + 1;
  }
  return { rows, bytes };
}

/** A row is the number of its fields, then the length (-1 for NULL) and the bytes of each field. */
function rowsOfBinary(head: Buffer): { rows: number; bytes: number } {
  let rows = 0;
  let bytes = BINARY_HEADER;
  for (;;) {
    const end = endOfRow(head, bytes);
    if (end === undefined) return { rows, bytes };
    rows += 1;
    bytes = end;
  }
}

/** Undefined if the row is not complete, or at the end marker (-1 fields). */
function endOfRow(head: Buffer, start: number): number | undefined {
  let at = start + 2;
  if (at > head.length) return undefined;
  const fields = head.readInt16BE(start);
  if (fields < 0) return undefined;
  for (let field = 0; field < fields; field += 1) {
    if (at + 4 > head.length) return undefined;
    at += 4 + Math.max(0, head.readInt32BE(at));
  }
  return at > head.length ? undefined : at;
}
