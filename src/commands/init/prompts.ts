/**
 * Questions on a terminal with @clack, in the texts, colors and characters of increp. No other file loads these
 * libraries. At each question, Esc goes back to the question before, and Ctrl-C gives up.
 */
import type { Key } from 'node:readline';
import { Writable, type Readable } from 'node:stream';
import { styleText } from 'node:util';
import { IncrepError } from '../../errors.ts';
import type { OutputStream } from '../../invocation.ts';
import type { Style } from '../../report/style.ts';
import { printable, wrapLines } from '../../report/text.ts';
import type { Terminal } from '../terminal/terminal.ts';

export interface PromptChoice<T> {
  readonly value: T;
  readonly label: string;
  /** The mark of the selected choice, so that it is visible without colors. */
  readonly hint?: string | undefined;
}

export interface AskedQuestion {
  readonly message: string;
  /** Identifies the question if its message varies, or if several questions have the message. */
  readonly id?: string | undefined;
}

interface TextQuestion extends AskedQuestion {
  readonly initial?: string | undefined;
  /** The value of an empty answer. */
  readonly fallback?: string | undefined;
  readonly validate?: ((text: string) => string | undefined) | undefined;
}

type SecretQuestion = Omit<TextQuestion, 'fallback'>;

interface ChoiceQuestion<T> extends AskedQuestion {
  readonly choices: readonly PromptChoice<T>[];
  readonly initial?: T | undefined;
}

interface ManyQuestion<T> extends Omit<ChoiceQuestion<T>, 'initial'> {
  readonly initial?: readonly T[] | undefined;
  readonly mayBeEmpty?: boolean | undefined;
}

interface YesNoQuestion extends AskedQuestion {
  readonly initial: boolean;
}

/** Each question @throws WentBack after Esc, and IncrepError INTERRUPTED after Ctrl-C or Ctrl-D */
export interface Prompts {
  readonly text: (question: TextQuestion) => Promise<string>;
  /** Empty if nothing was typed. */
  readonly secret: (question: SecretQuestion) => Promise<string>;
  readonly choose: <T extends string>(question: ChoiceQuestion<T>) => Promise<T>;
  readonly chooseMany: <T extends string>(question: ManyQuestion<T>) => Promise<T[]>;
  readonly confirm: (question: YesNoQuestion) => Promise<boolean>;
  readonly say: (text: string) => void;
  readonly warn: (text: string) => void;
  readonly done: (text: string) => void;
}

/** The user pressed Esc. The dialogue catches it (going-back.ts). */
export class WentBack extends Error {}

/** `init` adds the command to start again. */
export const gaveUp = (what: string): IncrepError =>
  new IncrepError('INTERRUPTED', {
    what,
    next: 'Nothing was written.',
  });

/** Without this, the process would end in the middle of the question. */
const CTRL_D = '\u0004';

export async function openPrompts(
  { style, dialogue }: Pick<Terminal, 'style' | 'dialogue'>,
  signal: AbortSignal,
): Promise<Prompts> {
  const clack = await import('@clack/prompts');
  const { TextPrompt } = await import('@clack/core');
  clack.updateSettings({ aliases: { [CTRL_D]: 'cancel' } });
  const output = outputFor(dialogue.output, style);
  const input = dialogue.input as Readable;
  const common = { input, output, signal };
  const beside = (text: string) =>
    wrapLines(printable(text), { ...style, width: (dialogue.output.columns || 80) - GUIDE_WIDTH });
  const answered = async <T>(ask: () => Promise<T | typeof clack.CANCEL_SYMBOL>): Promise<T> => {
    let lastKey: string | undefined;
    const note = (_text: unknown, { name }: Key) => {
      lastKey = name;
    };
    input.on('keypress', note);
    const answer = await ask().finally(() => input.off('keypress', note));
    signal.throwIfAborted();
    if (!clack.isCancel(answer)) return answer;
    throw lastKey === 'escape' ? new WentBack() : gaveUp(`stopped by Ctrl-${lastKey === 'd' ? 'D' : 'C'}`);
  };
  const shown = <T extends string>({ value, label, hint }: PromptChoice<T>) => ({
    value,
    label: printable(label),
    ...(hint !== undefined && { hint: printable(hint) }),
  });
  /** Like the text prompt of clack, which cannot hide a part of what was typed. */
  const typed = async (
    { message, initial, fallback, validate }: TextQuestion,
    visible: (text: string) => string,
  ): Promise<string> => {
    const answer = await answered(() => {
      const prompt = new TextPrompt({
        ...common,
        ...(initial !== undefined && { initialValue: initial }),
        ...(fallback !== undefined && { defaultValue: fallback }),
        validate: (text) => {
          const fault = validate?.((text ?? '') || (fallback ?? ''));
          // Nobody can correct a text that is hidden, and the next paste would be added to it.
          if (fault !== undefined && visible(prompt.userInput) !== prompt.userInput) {
            prompt.userInput = '';
            prompt.value = '';
          }
          return fault;
        },
        render() {
          const bar = styleText('gray', clack.S_BAR);
          const head = `${bar}\n${clack.symbol(this.state)}  ${message}\n`;
          const text = visible(this.userInput);
          if (this.state === 'submit') return `${head}${bar}  ${styleText('dim', visible(this.value ?? ''))}`;
          if (this.state === 'cancel') return `${head}${bar}  ${styleText(['strikethrough', 'dim'], text)}`;
          const line = text === '' ? placeholder(fallback) : withCursor(text, this.cursor);
          const [color, below] =
            this.state === 'error'
              ? (['yellow', beside(this.error).replaceAll('\n', '\n   ')] as const)
              : (['cyan', isPrefilled(initial, this.userInput) ? styleText('dim', CLEAR) : ''] as const);
          return `${head}${styleText(color, clack.S_BAR)}  ${line}\n${styleText(color, `${clack.S_BAR_END}  ${below}`)}\n`;
        },
      });
      return prompt.prompt();
    });
    return answer ?? '';
  };
  const mask = style.isUnicode ? '•' : '*';
  return {
    text: async (question) => (await typed(question, (text) => withoutPassword(text, mask))).trim(),
    secret: (question) => typed(question, (text) => mask.repeat(text.length)),
    choose: ({ message, choices, initial }) =>
      answered(() =>
        clack.select<string>({
          ...common,
          message,
          options: choices.map(shown),
          ...(initial !== undefined && { initialValue: initial }),
        }),
      ) as Promise<never>,
    chooseMany: ({ message, choices, initial, mayBeEmpty = false }) =>
      answered(() =>
        clack.autocompleteMultiselect<string>({
          ...common,
          message,
          options() {
            // Otherwise Space selects only after an arrow key.
            if (this.userInput === '') this.isNavigating = true;
            return choices.map(shown);
          },
          required: !mayBeEmpty,
          // Not in the hints.
          filter: (search, { value }) => value.toLowerCase().includes(search.toLowerCase()),
          maxItems: 12,
          ...(initial !== undefined && { initialValues: withCursorAtStart(initial, choices) }),
        }),
      ) as Promise<never>,
    confirm: ({ message, initial }) =>
      answered(() => clack.confirm({ ...common, message, initialValue: initial })),
    say: (text) => clack.log.message(beside(text), { output }),
    warn: (text) => clack.log.warn(beside(text), { output }),
    done: (text) => clack.log.success(beside(text), { output }),
  };
}

/** clack puts the cursor at the last value that it toggles. The first choice is toggled twice, so that it stays as it is. */
const withCursorAtStart = <T extends string>(
  initial: readonly T[],
  [first]: readonly PromptChoice<T>[],
): T[] => [...initial, ...(first ? [first.value, first.value] : [])];

/** A URL or a connection string that was pasted into any question may contain a password. */
const withoutPassword = (text: string, mask: string): string =>
  text.replace(/(?<=:\/\/|password=).+/is, (hidden) => mask.repeat(hidden.length));

const withCursor = (text: string, at: number): string =>
  at >= text.length
    ? `${text}█`
    : `${text.slice(0, at)}${styleText('inverse', text.slice(at, at + 1))}${text.slice(at + 1)}`;

/** What is typed or pasted is added to the present value. */
const CLEAR = 'Ctrl-U clears the field.';
const isPrefilled = (initial: string | undefined, text: string): boolean =>
  initial !== undefined && text !== '' && text === initial;

const placeholder = (fallback = ''): string =>
  fallback === ''
    ? styleText(['inverse', 'hidden'], '_')
    : `${styleText('inverse', fallback.slice(0, 1))}${styleText('dim', fallback.slice(1))}`;

/** clack puts a line of its frame before each line, and wraps no lines. */
const GUIDE_WIDTH = 3;

/**
 * ASCII replacements for the characters of clack, which ignores the locale. Each has the width of one cell except for
 * the boxes.
 */
const ASCII: Readonly<Record<string, string>> = {
  '◆': '*',
  '◇': 'o',
  '■': 'x',
  '▲': '!',
  '│': '|',
  '┌': '+',
  '└': '+',
  '●': '>',
  '○': ' ',
  '◻': '[ ]',
  '◼': '[x]',
  '•': '-',
  '█': '_',
  '↑': 'Up',
  '↓': 'Down',
  '…': '...',
};

/**
 * stderr without the characters that the terminal cannot show: colors after --no-color, and drawings without UTF-8.
 */
function outputFor(stderr: OutputStream, { color, isUnicode }: Style): Writable {
  const shown = (written: string) => {
    const text = written.replaceAll(COUNTED, '$1 selected');
    const colored = color ? text : text.replaceAll(COLORS, '');
    return isUnicode ? colored : colored.replaceAll(/[◆◇■▲│┌└●○◻◼•█↑↓…]/g, (drawn) => ASCII[drawn] ?? drawn);
  };
  const output = new Writable({
    decodeStrings: false,
    write: (chunk: string | Buffer, _encoding, done) => {
      stderr.write(shown(String(chunk)), () => done());
    },
  });
  // clack reads the size of the terminal from these.
  Object.defineProperties(output, {
    columns: { get: () => stderr.columns },
    rows: { get: () => stderr.rows },
    isTTY: { get: () => stderr.isTTY },
  });
  stderr.on('resize', () => output.emit('resize'));
  return output;
}

/** clack does not know the singular. */
const COUNTED = /(\d+) items selected/g;

/** SGR sequences: they change colors, not positions. */
const COLORS = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, 'g');
