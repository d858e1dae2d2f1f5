/** A command that asks, on a pseudo terminal of 80x24. */
import { waitUntil } from './activity.ts';
import { inTerminal, type InTerminal, type TerminalOptions } from './pseudo-terminal.ts';

interface Dialogue extends InTerminal {
  /** Waits until the screen shows the question, then presses the keys. */
  answer(question: string | RegExp, keys: string): Promise<void>;
  /** Everything that can be scrolled to. */
  seen(): string;
}

export const ENTER = '\r';
export const ESC = '\u001b';
export const UP = '\u001b[A';
export const DOWN = '\u001b[B';
export const TAB = '\t';
export const CTRL_C = '\u0003';
export const CTRL_D = '\u0004';

export function startDialogue(args: string, directory: string, env: TerminalOptions['env'] = {}): Dialogue {
  const terminal = inTerminal(args, { directory }, { env });
  const seen = () => terminal.screen.lines().join('\n');
  /** Only what stands below the last answer is a question. One that was answered or left has another mark. */
  const isAsked = (question: string | RegExp) => {
    const lines = terminal.screen.lines();
    const last = lines.findLastIndex((line) => /^[◆*▲!◇o■x] {2}/.test(line));
    if (/^[◇o■x]/.test(lines[last] ?? '')) return false;
    const asked = lines.slice(last);
    const text = asked.join(' ').replaceAll(/ [│|] {2}| {2,}/g, ' ');
    return typeof question === 'string' ? text.includes(question) : question.test(text);
  };
  return Object.assign(terminal, {
    answer: async (question: string | RegExp, keys: string) => {
      await waitUntil(`${String(question)} on the screen`, () => {
        if (terminal.hasEnded) throw new Error(`ended without ${String(question)}:\n${seen()}`);
        return isAsked(question);
      }).catch((error: unknown) => {
        throw new Error(`${String(question)} is not asked:\n${seen()}`, { cause: error });
      });
      terminal.type(keys);
    },
    seen,
  });
}
