/** Where a command prints: results to stdout, everything else to stderr. */
import { fstatSync } from 'node:fs';
import type { Environment } from '../../environment.ts';
import type { InputStream, Invocation, OutputStream } from '../../invocation.ts';
import type { Style } from '../../report/style.ts';
import type { Screen } from '../../observe/progress.ts';

export interface Terminal {
  /** Results. */
  readonly out: (text: string) => void;
  /** Conversation. */
  readonly say: (text: string) => void;
  readonly isStdoutTerminal: boolean;
  readonly isStderrTerminal: boolean;
  readonly isStdinTerminal: boolean;
  /** For questions: answers come from stdin, and all that is drawn goes to stderr. */
  readonly dialogue: { readonly input: InputStream; readonly output: OutputStream };
  /** Of stdout. */
  readonly style: Style;
  /** Of stderr. */
  readonly sayStyle: Style;
  /** Where a live line can be drawn: stdout, else stderr; undefined where nothing may be rewritten in place. */
  readonly screen: (Screen & { readonly isStdout: boolean; readonly isStderr: boolean }) | undefined;
}

/** Cells, where a terminal does not say. */
const USUAL_WIDTH = 80;

/** @param isColorRefused --no-color was given */
export function terminalOf(
  { stdin, stdout, stderr, environment }: Pick<Invocation, 'stdin' | 'stdout' | 'stderr' | 'environment'>,
  isColorRefused: boolean,
): Terminal {
  // A reader that has closed its end wants no more; the work goes on.
  for (const stream of [stdout, stderr]) stream.on('error', ignoreClosed);
  const styleOf = (stream: OutputStream): Style => ({
    color: hasColor(stream, environment, isColorRefused),
    get width() {
      return isTerminal(stream) ? stream.columns || USUAL_WIDTH : Infinity;
    },
    isUnicode: isUtf8(environment),
  });
  const [style, sayStyle] = [styleOf(stdout), styleOf(stderr)];
  const terminal = {
    out: (text: string) => void stdout.write(text),
    say: (text: string) => void stderr.write(text),
    isStdoutTerminal: isTerminal(stdout),
    isStderrTerminal: isTerminal(stderr),
    isStdinTerminal: stdin.isTTY === true,
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
      write: (text) => void stream.write(text),
      onResize: (redraw) => {
        stream.on('resize', redraw);
        return () => stream.off('resize', redraw);
      },
    },
  };
}

/** Node leaves the property out where it is none. */
const isTerminal = (stream: OutputStream): boolean => stream.isTTY === true;

/**
 * FORCE_COLOR asks for colour where it would not be expected (force-color.org; "0" and "false" do not), NO_COLOR and
 * --no-color refuse it (no-color.org), and refusing wins: whoever cannot have escape sequences has no other way to say so.
 */
function hasColor(stream: OutputStream, environment: Environment, isRefused: boolean): boolean {
  if (isRefused || environment['NO_COLOR']) return false;
  return isSet(environment['FORCE_COLOR']) || (isTerminal(stream) && !isDumb(environment));
}

const isSet = (value: string | undefined): boolean =>
  value !== undefined && value !== '' && value !== '0' && value !== 'false';

/** As for curses and git. Windows has no TERM, and terminals that can do all of this. */
const isDumb = ({ TERM }: Environment): boolean =>
  TERM === 'dumb' || ((TERM ?? '') === '' && process.platform !== 'win32');

/** A log of a CI job looks like a terminal to programs, and keeps every line that was drawn. */
const canMove = (environment: Environment): boolean => !isDumb(environment) && !isSet(environment['CI']);

function isSameDevice(one: OutputStream, other: OutputStream): boolean {
  if (one.fd === undefined || other.fd === undefined) return false;
  return fstatSync(one.fd).rdev === fstatSync(other.fd).rdev;
}

/** As the C library chooses the characters of a locale. Where nothing is set, as in cron, that is ASCII. */
const isUtf8 = (environment: Environment): boolean =>
  /utf-?8/i.test(environment['LC_ALL'] || environment['LC_CTYPE'] || environment['LANG'] || '');

function ignoreClosed(error: Error & { code?: string }): void {
  if (error.code !== 'EPIPE') throw error;
}
