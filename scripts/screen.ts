/** What a person sees on a terminal after a program has written there: lines of text in a few colours. */
import xterm from '@xterm/headless';
import type { IBufferCell, IBufferLine } from '@xterm/headless';

/** Neighbouring cells that look alike. */
export interface Run {
  /** Of the first cell, from 0. */
  readonly column: number;
  /** Cells, which for wide characters are more than characters. */
  readonly width: number;
  readonly text: string;
  /** One of the sixteen colours of a terminal; undefined is the one it writes in. */
  readonly color: number | undefined;
  readonly isBold: boolean;
  readonly isDim: boolean;
}

export type Screen = readonly (readonly Run[])[];

export interface Terminal {
  write(bytes: string | Uint8Array): Promise<void>;
  /** From the first line that was written, also where it has scrolled away, to the last that is not empty. */
  read(): Screen;
}

export function openTerminal(columns: number, rows: number): Terminal {
  const terminal = new xterm.Terminal({ cols: columns, rows, scrollback: 1000, allowProposedApi: true });
  return {
    write: (bytes) => new Promise((resolve) => terminal.write(bytes, resolve)),
    read: () => {
      const { active } = terminal.buffer;
      const lines = Array.from({ length: active.length }, (_, index) => active.getLine(index));
      const screen = lines.map((line) => (line ? runsOf(line) : []));
      return screen.slice(0, screen.findLastIndex((runs) => runs.length > 0) + 1);
    },
  };
}

function runsOf(line: IBufferLine): Run[] {
  const runs: Run[] = [];
  for (let column = 0; column < line.length; column += 1) {
    const cell = line.getCell(column);
    // The second half of a wide character is a cell without any width.
    if (!cell || cell.getWidth() === 0) continue;
    const run = runOf(cell, column);
    const last = runs.at(-1);
    if (last && isAlike(last, run)) runs[runs.length - 1] = joined(last, run);
    else runs.push(run);
  }
  return runs.filter(({ text }) => text.trim() !== '').map(withoutTrailingSpace);
}

const runOf = (cell: IBufferCell, column: number): Run => ({
  column,
  width: cell.getWidth(),
  text: cell.getChars() || ' ',
  color: colorOf(cell),
  isBold: cell.isBold() !== 0,
  isDim: cell.isDim() !== 0,
});

function colorOf(cell: IBufferCell): number | undefined {
  if (cell.isFgDefault()) return undefined;
  const color = cell.getFgColor();
  if (!cell.isFgPalette() || color > 15)
    throw new Error(`only the sixteen colours can be drawn, not ${color}`);
  return color;
}

const isAlike = (one: Run, other: Run) =>
  one.color === other.color && one.isBold === other.isBold && one.isDim === other.isDim;

const joined = (one: Run, other: Run): Run => ({
  ...one,
  width: one.width + other.width,
  text: one.text + other.text,
});

function withoutTrailingSpace(run: Run): Run {
  const text = run.text.trimEnd();
  return { ...run, text, width: run.width - (run.text.length - text.length) };
}

/** Without colours, for those who cannot see it. */
export const textOf = (screen: Screen): string =>
  screen.map((runs) => runs.reduce((line, { column, text }) => line.padEnd(column) + text, '')).join('\n');
