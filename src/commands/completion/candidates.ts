/** The candidates for the word at the cursor: pure. */
import type { Argument, Option } from 'commander';
import { argumentOf, type CommandDescription } from '../descriptions/description.ts';
import { globalOptions } from '../descriptions/global.ts';

export interface Candidate {
  readonly value: string;
  /** A description, for shells that show one. */
  readonly says: string;
}

/** The shell itself completes directories. */
export type Candidates = readonly Candidate[] | 'directories';

interface CompletionSources {
  readonly descriptions: readonly CommandDescription[];
  /** The names of the tables of the pipeline that -C names. */
  readonly tablesOf: (directory: string | undefined) => readonly string[];
  /** The names of its destinations, if it has several. */
  readonly destinationsOf: (directory: string | undefined) => readonly string[];
}

/** The typed words before the word at the cursor. */
interface Typed {
  readonly directory?: string;
  /** Undefined if there is no command yet, or an unknown one. */
  readonly command?: CommandDescription | undefined;
  readonly operands: readonly string[];
  readonly excluded: readonly string[];
  /** The option whose value comes next. */
  readonly pending?: Option | undefined;
  /** After `--`. */
  readonly hasFlagsEnded?: boolean;
}

/**
 * All candidates, whatever letters are typed, because shells differ in how they match.
 * @param words the words after the program name; the last one is at the cursor
 */
export function candidatesFor(words: readonly string[], known: CompletionSources): Candidates {
  const current = words.at(-1) ?? '';
  const typed = words.slice(0, -1).reduce<Typed>((before, word) => readWord(before, word, known), {
    operands: [],
    excluded: [],
  });
  if (typed.pending) return valuesOf(typed.pending, current, typed, known);
  if (!current.startsWith('-') || typed.hasFlagsEnded) return operandsAfter(typed, known);
  const [flag, value] = splitFlag(current);
  if (value === undefined) return flagsOf(typed);
  const option = findOption(typed, flag);
  const values = option ? valuesOf(option, value, typed, known) : [];
  return values === 'directories'
    ? []
    : values.map((candidate) => ({ ...candidate, value: `${flag}=${candidate.value}` }));
}

function readWord(typed: Typed, word: string, known: CompletionSources): Typed {
  if (typed.pending) return { ...withValue(typed, typed.pending, word), pending: undefined };
  if (typed.hasFlagsEnded || !word.startsWith('-') || word === '-') return withOperand(typed, word, known);
  if (word === '--') return { ...typed, hasFlagsEnded: true };
  const [flag, value] = splitFlag(word);
  const option = findOption(typed, flag);
  if (!option?.required) return typed;
  return value === undefined ? { ...typed, pending: option } : withValue(typed, option, value);
}

/** `--wait-lock=5m`, `-Cshop`, or an option without a value. */
function splitFlag(word: string): readonly [flag: string, value?: string] {
  if (!word.startsWith('--')) return word.length > 2 ? [word.slice(0, 2), word.slice(2)] : [word];
  const at = word.indexOf('=');
  return at === -1 ? [word] : [word.slice(0, at), word.slice(at + 1)];
}

function withValue(typed: Typed, { long }: Option, value: string): Typed {
  if (long === '--directory') return { ...typed, directory: value };
  return long === '--exclude' ? { ...typed, excluded: [...typed.excluded, ...value.split(',')] } : typed;
}

function withOperand(typed: Typed, word: string, { descriptions }: CompletionSources): Typed {
  const command = typed.command ?? descriptions.find(({ name }) => name === word);
  return { ...typed, command, operands: [...typed.operands, word] };
}

const optionsOf = ({ command }: Typed): readonly Option[] => [
  ...Object.values(command?.options ?? {}).flat(),
  ...globalOptions(),
];

const findOption = (typed: Typed, flag: string): Option | undefined =>
  optionsOf(typed).find(({ short, long }) => flag === short || flag === long);

const flagsOf = (typed: Typed): readonly Candidate[] => [
  ...optionsOf(typed)
    .filter(({ hidden }) => !hidden)
    .map(({ long, short, description }) => ({ value: long ?? short ?? '', says: description })),
  { value: '--help', says: 'print help' },
  ...(typed.command ? [] : [{ value: '--version', says: 'print the version' }]),
];

function valuesOf(option: Option, current: string, typed: Typed, known: CompletionSources): Candidates {
  if (option.long === '--directory') return 'directories';
  if (option.long === '--destination') return known.destinationsOf(typed.directory).map(plain);
  if (option.long !== '--exclude') return (option.argChoices ?? []).map(plain);
  // A list: the text up to the last comma is kept. A name that contains a comma cannot be in it.
  const before = current.slice(0, current.lastIndexOf(',') + 1);
  const taken = [...typed.operands, ...typed.excluded, ...before.split(',')];
  return known
    .tablesOf(typed.directory)
    .filter((name) => !name.includes(',') && !taken.includes(name))
    .map((name) => plain(`${before}${name}`));
}

function operandsAfter(typed: Typed, known: CompletionSources): readonly Candidate[] {
  const { command, operands } = typed;
  const commandNames = () => known.descriptions.map(({ name, summary }) => ({ value: name, says: summary }));
  if (!command) return operands.length === 0 ? commandNames() : [];
  const argument: Argument | undefined = argumentOf(command);
  if (!argument) return [];
  if (argument.name() === 'topic') return operands.length > 1 ? [] : commandNames();
  if (argument.variadic) {
    const taken = [...operands.slice(1), ...typed.excluded];
    return known
      .tablesOf(typed.directory)
      .filter((name) => !taken.includes(name))
      .map(plain);
  }
  if (operands.length > 1) return [];
  return (argument.argChoices ?? []).map(plain);
}

const plain = (value: string): Candidate => ({ value, says: '' });
