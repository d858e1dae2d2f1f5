/** Converts the errors of commander to messages that name the probable meaning and the help page. */
import type { Command, CommanderError } from 'commander';
import { IncrepError } from '../../errors.ts';
import { nearest } from '../../nearest.ts';
import { unknownCommand } from '../help.ts';

/** `asked` is the program itself if the command line names no valid command. */
export function usageErrorOf({ code, message }: CommanderError, asked: Command): IncrepError {
  const [, word = ''] = /'([^]*?)'/.exec(message) ?? [];
  if (code === 'commander.unknownCommand') return unknownCommand(word, asked);
  if (code === 'commander.conflictingOption') return contradiction(message);
  const what =
    code === 'commander.unknownOption'
      ? unknownOption(word, asked)
      : (missingChoice(word, code, asked) ??
        notOneOf(message) ??
        invalidValue(message) ??
        message.replace(/^error: /, ''));
  return new IncrepError('USAGE', { what, next: `See "${pathOf(asked)} --help".` });
}

function contradiction(message: string): IncrepError {
  const flags = [...message.matchAll(/option '([^']*)'/g)].map(([, flag]) => flag);
  return new IncrepError('USAGE', {
    what: `${flags.join(' and ')} contradict each other`,
    next: 'Use one of them.',
  });
}

/** An argument with few possible values is best explained by the values. */
function missingChoice(name: string, code: string, { registeredArguments }: Command): string | undefined {
  if (code !== 'commander.missingArgument') return undefined;
  const choices = registeredArguments.find((argument) => argument.name() === name)?.argChoices;
  return choices && `the ${name} is missing: one of ${choices.join(', ')}`;
}

const NOT_A_CHOICE =
  /(?:option '(?<flags>[^']*)' argument|value) '(?<value>[^]*)' is invalid.* Allowed choices are (?<choices>.*)\.$/;

function notOneOf(message: string): string | undefined {
  const { flags, value = '', choices } = NOT_A_CHOICE.exec(message)?.groups ?? {};
  if (choices === undefined) return undefined;
  const near = nearest(value, choices.split(', '));
  return `${flags === undefined ? '' : `${flagOf(flags)}: `}"${value}" is not one of ${choices}${near === undefined ? '' : `; did you mean "${near}"?`}`;
}

/** The end is the message of an InvalidArgumentError, such as "not a duration". */
const INVALID_VALUE = /option '(?<flags>[^']*)' argument '(?<value>[^]*)' is invalid\. (?<what>.*)$/;

function invalidValue(message: string): string | undefined {
  const { flags, value, what } = INVALID_VALUE.exec(message)?.groups ?? {};
  return flags === undefined ? undefined : `${flagOf(flags)}: "${value}" is ${what}`;
}

/** `--watch` of `--watch <interval>` */
const flagOf = (flags: string): string => flags.replace(/ [<[].*$/, '');

function unknownOption(option: string, asked: Command): string {
  const what = `"${nameOf(asked)}" has no option ${option}`;
  const swallowed = directoryThatIsACommand(asked);
  if (swallowed !== undefined)
    return `${what}; -C took "${swallowed}" as the directory, so no command is left (is a variable after -C empty?)`;
  if (!asked.parent && option === '-v')
    return `${what}; "${pathOf(asked)} -V" prints the version, and -v after a command makes it verbose`;
  const owners = (asked.parent ?? asked).commands.filter((command) => flagsOf(command).includes(option));
  if (owners.length > 0)
    return `${what}; it is an option of ${owners.map((owner) => `"${nameOf(owner)}"`).join(', ')}`;
  const flags = [asked, asked.parent].flatMap((command) => (command ? flagsOf(command) : []));
  // Every letter is similar to every other letter.
  const long = [...flags, '--help'].filter((flag) => flag.startsWith('--'));
  const near = option.startsWith('--') ? nearest(option, long) : long.find((flag) => flag === `-${option}`);
  return near === undefined ? what : `${what}; did you mean ${near}?`;
}

const LONG_DASH = /^[\u2010-\u2015\u2212]+(?<name>.+)$/u;

/** Editors and chat programs turn "--" into one long dash, and then an option counts as the name of a table. */
export function withDashes(error: IncrepError, args: readonly string[]): IncrepError {
  const typed = args.find((arg) => LONG_DASH.test(arg));
  if (typed === undefined || error.code !== 'USAGE') return error;
  const name = typed.replace(LONG_DASH, '$<name>');
  return new IncrepError('USAGE', {
    what: error.message,
    next: `"${typed}" begins with a dash that is not "-". Type ${name.length === 1 ? '-' : '--'}${name}.`,
  });
}

/** `-C $DIR sync` with an empty variable. */
function directoryThatIsACommand(asked: Command): string | undefined {
  const { directory }: { directory?: string } = asked.opts();
  const isCommand = asked.commands.some((command) => command.name() === directory);
  return !asked.parent && isCommand ? directory : undefined;
}

const pathOf = (command: Command): string =>
  command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();

/** Without the program: printed commands begin with its path, and a sentence with several paths is hard to read. */
const nameOf = (command: Command): string =>
  command.parent?.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();

const flagsOf = ({ options }: Command): string[] =>
  options.flatMap(({ short, long }) => [short, long].filter((flag) => flag !== undefined));
