/** A real terminal, without a window: what a person sees after the bytes that were written. */
import headless from '@xterm/headless';

export interface Emulator {
  write(text: string): void;
  /** Everything that can be scrolled to, without the empty lines at the end. */
  lines(): string[];
  /** Cells from the left, and lines from the top of what can be scrolled to. */
  cursor(): { x: number; y: number; isVisible: boolean };
  resize(columns: number, rows: number): void;
}

/** The only way that does not wait for a timer, which a test may have stopped. */
interface Core {
  readonly _core: { writeSync(text: string): void };
}

export function emulator(columns = 80, rows = 24): Emulator {
  const terminal = new headless.Terminal({
    cols: columns,
    rows,
    allowProposedApi: true,
    logLevel: 'off',
    scrollback: 10_000,
  });
  const { _core: core } = terminal as unknown as Core;
  let isVisible = true;
  return {
    write: (text) => {
      const [hidden, shown] = [text.lastIndexOf('\u001b[?25l'), text.lastIndexOf('\u001b[?25h')];
      if (hidden !== shown) isVisible = shown > hidden;
      // The terminal driver's doing: a newline is a carriage return as well.
      core.writeSync(text.replaceAll(/\r?\n/g, '\r\n'));
    },
    lines: () => {
      const { active } = terminal.buffer;
      const all = Array.from(
        { length: active.length },
        (_, y) => active.getLine(y)?.translateToString(true) ?? '',
      );
      return all.slice(0, all.findLastIndex((line) => line !== '') + 1);
    },
    cursor: () => {
      const { cursorX: x, cursorY, baseY } = terminal.buffer.active;
      return { x, y: baseY + cursorY, isVisible };
    },
    resize: (newColumns, newRows) => terminal.resize(newColumns, newRows),
  };
}
