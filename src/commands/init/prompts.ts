/**
 * Questions on a terminal with @clack/prompts, in the texts, colors and characters of increp. No other file loads
 * that library.
 */
import { Writable, type Readable } from 'node:stream';
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

interface TextQuestion {
  readonly message: string;
  readonly initial?: string | undefined;
  /** The value of an empty answer. */
  readonly fallback?: string | undefined;
  readonly validate?: (text: string) => string | undefined;
}

interface ChoiceQuestion<T> {
  readonly message: string;
  readonly choices: readonly PromptChoice<T>[];
  readonly initial?: T | undefined;
}

/** Each @throws IncrepError INTERRUPTED when the user presses Ctrl-C */
export interface Prompts {
  readonly text: (question: TextQuestion) => Promise<string>;
  /** Empty if nothing was typed. */
  readonly secret: (message: string) => Promise<string>;
  readonly choose: <T extends string>(question: ChoiceQuestion<T>) => Promise<T>;
  readonly chooseMany: <T extends string>(question: Omit<ChoiceQuestion<T>, 'initial'>) => Promise<T[]>;
  readonly confirm: (message: string, initial: boolean) => Promise<boolean>;
  readonly say: (text: string) => void;
  readonly warn: (text: string) => void;
  readonly done: (text: string) => void;
}

export async function openPrompts(
  { style, dialogue }: Pick<Terminal, 'style' | 'dialogue'>,
  signal: AbortSignal,
): Promise<Prompts> {
  const clack = await import('@clack/prompts');
  const output = outputFor(dialogue.output, style);
  const input = dialogue.input as Readable;
  const common = { input, output, signal };
  const beside = (text: string) =>
    wrapLines(printable(text), { ...style, width: (dialogue.output.columns || 80) - GUIDE_WIDTH });
  const answered = async <T>(question: Promise<T | typeof clack.CANCEL_SYMBOL>): Promise<T> => {
    const answer = await question;
    signal.throwIfAborted();
    if (clack.isCancel(answer)) throw cancelled();
    return answer;
  };
  const shown = <T extends string>({ value, label, hint }: PromptChoice<T>) => ({
    value,
    label: printable(label),
    ...(hint !== undefined && { hint: printable(hint) }),
  });
  const mask = style.isUnicode ? '•' : '*';
  return {
    text: async ({ message, initial, fallback, validate }) =>
      (
        await answered(
          clack.text({
            ...common,
            message,
            ...(initial !== undefined && { initialValue: initial }),
            ...(fallback !== undefined && { placeholder: fallback, defaultValue: fallback }),
            validate: (text) => validate?.((text ?? '') || (fallback ?? '')),
          }),
        )
      ).trim(),
    // clack returns undefined for an empty answer.
    secret: async (message) =>
      (await answered<string | undefined>(clack.password({ ...common, message, mask }))) ?? '',
    choose: ({ message, choices, initial }) =>
      answered(
        clack.select<string>({
          ...common,
          message,
          options: choices.map(shown),
          ...(initial !== undefined && { initialValue: initial }),
        }),
      ) as Promise<never>,
    chooseMany: ({ message, choices }) =>
      answered(
        clack.autocompleteMultiselect<string>({
          ...common,
          message,
          options: choices.map(shown),
          required: true,
          maxItems: 12,
        }),
      ) as Promise<never>,
    confirm: (message, initialValue) => answered(clack.confirm({ ...common, message, initialValue })),
    say: (text) => clack.log.message(beside(text), { output }),
    warn: (text) => clack.log.warn(beside(text), { output }),
    done: (text) => clack.log.success(beside(text), { output }),
  };
}

/** clack puts a line of its frame before each line, and wraps no lines. */
const GUIDE_WIDTH = 3;

const cancelled = (): IncrepError =>
  new IncrepError('INTERRUPTED', {
    what: 'stopped by Ctrl-C',
    next: 'Nothing was written. To start again, run "increp init".',
  });

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
  const shown = (text: string) => {
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

/** SGR sequences: they change colors, not positions. */
const COLORS = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, 'g');
