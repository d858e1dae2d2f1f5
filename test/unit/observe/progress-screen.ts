/** The live lines of a run on the screen of a terminal, and the events that change them. */
import { vi } from 'vitest';
import type { Phase, RunEvent } from '../../../src/events.ts';
import { createProgress } from '../../../src/observe/progress.ts';
import { summaryByTable } from '../../../src/report/summary.ts';
import { emulator } from '../../support/emulator.ts';
import { STARTED } from '../report/outcomes.ts';

interface Size {
  readonly columns?: number;
  readonly rows?: number;
  readonly tables?: readonly string[];
  readonly isUnicode?: boolean;
  readonly jobs?: number;
}

export function start({
  columns = 80,
  rows = 24,
  tables = ['orders', 'items'],
  isUnicode = true,
  jobs,
}: Size = {}) {
  const screen = emulator(columns, rows);
  const written: string[] = [];
  let width = columns;
  let redraw = () => {};
  const look = {
    color: false,
    isUnicode,
    get width() {
      return width;
    },
  };
  const write = (text: string) => {
    written.push(text);
    screen.write(text);
  };
  const progress = createProgress(
    {
      write,
      style: look,
      height: rows,
      onResize: (listener) => {
        redraw = listener;
        return () => (redraw = () => {});
      },
    },
    { above: summaryByTable(() => look) },
  );
  const emit = (event: RunEvent) => void progress.listener(event);
  emit({
    type: 'run-started',
    runId: 'run-1',
    pipeline: 'shop',
    startedAt: STARTED,
    tables,
    ...(jobs !== undefined && { jobs }),
  });
  return {
    ...{ written, progress, emit, screen, look, write },
    pass: (seconds: number) => vi.advanceTimersByTime(seconds * 1000),
    load: (table = 'orders', estimatedRows = 1000) =>
      emit({
        type: 'table-planned',
        table,
        action: 'initial',
        reasons: [{ code: 'no-destination-table' }],
        estimatedRows,
      }),
    phase: (phase: Phase, more: { table?: string; detail?: string; waitsFor?: string } = {}) =>
      emit({ type: 'phase-started', table: 'orders', phase, ...more }),
    chunk: (done: number, of: number) =>
      emit({ type: 'phase-started', table: 'orders', phase: 'copy', chunks: { done, of } }),
    copied: (bytes: number, count?: number, earlier?: number) =>
      emit({
        type: 'rows-copied',
        table: 'orders',
        bytes,
        ...(count !== undefined && { rows: count }),
        ...(earlier !== undefined && { earlier }),
      }),
    resize: (columnsNow: number) => {
      screen.resize(columnsNow, rows);
      width = columnsNow;
      redraw();
    },
    /** The last line, which is the live one where there is one. */
    live: () => screen.lines().at(-1),
  };
}

export const FOUR = ['orders', 'items', 'events', 'customers'];
