/**
 * Places in src/ for a stack trace of the bundles. The maps are read only if there is something to print, because Node
 * would read them at each start.
 */
import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { fileURLToPath } from 'node:url';

const PLACE = /(file:\/\/[^\s()]+\.c?js):(\d+):(\d+)/g;

/** A place without a map stays as it is. */
export const inSourceLines = (stack: string): string =>
  stack.replaceAll(PLACE, (place: string, url: string, line: string, column: string) => {
    try {
      const map = JSON.parse(readFileSync(`${fileURLToPath(url)}.map`, 'utf8')) as SourceMapPayload;
      const origin = new SourceMap(map).findOrigin(Number(line), Number(column));
      if (!('fileName' in origin)) return place;
      return `${origin.fileName.replace(/^(\.\.\/)+/, '')}:${origin.lineNumber}:${origin.columnNumber}`;
    } catch {
      return place;
    }
  });
