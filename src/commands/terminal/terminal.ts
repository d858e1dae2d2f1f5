/** The output of a command: results go to stdout, everything else to stderr. */
import { fstatSync } from 'node:fs';
import type { Environment } from '../../environment.ts';
import type { InputStream, Invocation, OutputStream } from '../../invocation.ts';
import type { Style } from '../../report/style.ts';
import type { Screen } from '../../observe/progress.ts';
import { fileFault } from '../../system-fault.ts';

export interface Terminal {
  /** Results. */
  readonly out: (text: string) => void;
  /** Messages. */
  readonly say: (text: string) => void;
  /** Resolves when stdout was written, to whether a part of it was lost. A reader that went away lost nothing. */
  readonly isOutputLost: () => Promise<boolean>;
  readonly isStdoutTerminal: boolean;
  readonly isStderrTerminal: boolean;
  readonly isStdinTerminal: boolean;
  /** Whether stdout and stderr are one file or pipe, as in a mail of cron or in the journal. */
  readonly isOneFile: boolean;
  /** Whether stderr takes JSON lines (LOG_FORMAT=json). A terminal has a reader, so it gets text. */
  readonly hasJsonMessages: () => boolean;
  /** For questions: answers come from stdin, and the questions go to stderr. */
  readonly dialogue: { readonly input: InputStream; readonly output: OutputStream };
  /** The style of stdout. */
  readonly style: Style;
  /** The style of stderr. */
  readonly sayStyle: Style;
  /** The stream for the live line: stdout, otherwise stderr. Undefined if no stream can be redrawn. */
  readonly screen: (Screen & { readonly isStdout: boolean; readonly isStderr: boolean }) | undefined;
}

/** The width in cells, if the terminal does not report one. */
const USUAL_WIDTH = 80;

interface TerminalOptions {
  /** True if --no-color was given. */
  readonly isColorRefused: boolean;
  readonly typedCommand: (verb: string, isTerminal: boolean) => string;
  readonly wantsJsonMessages: () => boolean;
}

export function terminalOf(
  { stdin, stdout, stderr, environment }: Pick<Invocation, 'stdin' | 'stdout' | 'stderr' | 'environment'>,
  { isColorRefused, typedCommand, wantsJsonMessages }: TerminalOptions,
): Terminal {
  let isOutputLost = false;
  stdout.on('error', (error: Error & { code?: string }) => {
    if (isClosed(error) || isOutputLost) return;
    isOutputLost = true;
    stderr.write(outputFault(error));
  });
  // Nothing can be said about messages that are lost. The work continues.
  stderr.on('error', () => undefined);
  const styleOf = (stream: OutputStream): Style => ({
    color: hasColor(stream, environment, isColorRefused),
    get width() {
      return isTerminal(stream) ? stream.columns || USUAL_WIDTH : Infinity;
    },
    isUnicode: isUtf8(environment),
    typedCommand: (verb) => typedCommand(verb, isTerminal(stream)),
  });
  const [style, sayStyle] = [styleOf(stdout), styleOf(stderr)];
  const terminal = {
    out: (text: string) => void stdout.write(text),
    say: (text: string) => void stderr.write(text),
    isOutputLost: async () => {
      // An error is emitted after the call that wrote.
      await new Promise<void>((resolve) => stdout.write('', () => void setImmediate(resolve)));
      return isOutputLost;
    },
    isStdoutTerminal: isTerminal(stdout),
    isStderrTerminal: isTerminal(stderr),
    isStdinTerminal: stdin.isTTY === true,
    isOneFile: isSameFile(stdout, stderr),
    hasJsonMessages: () => !isTerminal(stderr) && wantsJsonMessages(),
    dialogue: { input: stdin, output: stderr },
    style,
    sayStyle,
  };
  if (!canMove(environment) || !(isTerminal(stdout) || isTerminal(stderr)))
    return { ...terminal, screen: undefined };
  const stream = isTerminal(stdout) ? stdout : stderr;
  return {
    ...terminal,
    screen: {
      isStdout: stream === stdout,
      isStderr: stream === stderr || (isTerminal(stderr) && isSameDevice(stdout, stderr)),
      style: stream === stdout ? style : sayStyle,
      get height() {
        return stream.rows || undefined;
      },
      write: (text) => void stream.write(text),
      onResize: (redraw) => {
        stream.on('resize', redraw);
        return () => stream.off('resize', redraw);
      },
    },
  };
}

/** Node leaves the property out if the stream is not a terminal. */
const isTerminal = (stream: OutputStream): boolean => stream.isTTY === true;

/**
 * FORCE_COLOR turns colors on where increp would not use them (force-color.org; "0" and "false" do not count).
 * NO_COLOR and --no-color turn them off (no-color.org). They win, because some terminals cannot show escape sequences
 * at all.
 */
function hasColor(stream: OutputStream, environment: Environment, isRefused: boolean): boolean {
  if (isRefused || environment['NO_COLOR']) return false;
  return isSet(environment['FORCE_COLOR']) || (isTerminal(stream) && !isDumb(environment));
}

const isSet = (value: string | undefined): boolean =>
  value !== undefined && value !== '' && value !== '0' && value !== 'false';

/** As in curses and git. Windows has no TERM, and its terminals support all of this. */
const isDumb = ({ TERM }: Environment): boolean =>
  TERM === 'dumb' || ((TERM ?? '') === '' && process.platform !== 'win32');

/** A CI job may offer a terminal, but its log keeps every line that was drawn. */
const canMove = (environment: Environment): boolean => !isDumb(environment) && !isSet(environment['CI']);

function isSameFile(one: OutputStream, other: OutputStream): boolean {
  if (isTerminal(one) || isTerminal(other) || one.fd === undefined || other.fd === undefined) return false;
  const [{ dev, ino }, there] = [fstatSync(one.fd), fstatSync(other.fd)];
  return dev === there.dev && ino === there.ino;
}

function isSameDevice(one: OutputStream, other: OutputStream): boolean {
  if (one.fd === undefined || other.fd === undefined) return false;
  return fstatSync(one.fd).rdev === fstatSync(other.fd).rdev;
}

/** Chooses the characters from the locale as the C library does. Without a locale, as in cron, this is ASCII. */
const isUtf8 = (environment: Environment): boolean =>
  /utf-?8/i.test(environment['LC_ALL'] || environment['LC_CTYPE'] || environment['LANG'] || '');

/** A reader that has closed its end of the pipe needs no more output. */
const isClosed = ({ code }: { code?: string }): boolean => code === 'EPIPE';

const outputFault = (error: Error): string =>
  `error: the output cannot be written: ${fileFault(error)}
  next: The command continues without its output. To see what a run did:
          increp history
`;
