/** Runs a command for each destination in turn. A destination that cannot be reached does not stop the others. */
import { asIncrepError, reworded, type IncrepError } from '../../errors.ts';
import { onlyAtDestination } from '../../shell-word.ts';
import { printError } from '../terminal/print-error.ts';
import { destinationHeading } from '../../report/destination.ts';
import { errorToJson } from '../../report/summary-json.ts';
import type { Context } from './context.ts';
import { withoutSecrets, type Pipeline } from '../../pipeline/context.ts';

export interface DestinationResults<T> {
  /** The results of the destinations that could be reached, with their names if there are several. */
  readonly results: readonly T[];
  readonly exitCode: number;
  /** Extra fields of a JSON document, if there are several destinations. */
  readonly json: { readonly destinations?: readonly object[] };
  /** The destinations that could not be used. */
  readonly unreached: readonly { readonly name: string; readonly error: IncrepError }[];
}

interface CommandWork<T> {
  readonly isJson: boolean;
  /** Prints the result, unless --json is set. */
  readonly run: (pipeline: Pipeline) => Promise<{ readonly result: T; readonly exitCode: number }>;
}

/** @throws the error, if the pipeline has one destination */
export async function eachDestination<T>(
  { pipelines, terminal, redact, signal }: Context,
  { isJson, run }: CommandWork<T>,
): Promise<DestinationResults<T>> {
  const [only, ...others] = pipelines;
  if (only && others.length === 0 && only.name === undefined) {
    const { result, exitCode } = await run(only);
    return { results: [result], exitCode, json: {}, unreached: [] };
  }
  const results: T[] = [];
  const destinations: { name: string; error: IncrepError | undefined }[] = [];
  const exitCodes: number[] = [];
  for (const pipeline of pipelines) {
    const name = pipeline.name ?? '';
    if (!isJson) terminal.out(destinationHeading(name, exitCodes.length === 0, terminal.style));
    try {
      const { result, exitCode } = await run(pipeline);
      results.push(result);
      exitCodes.push(exitCode);
      destinations.push({ name, error: undefined });
    } catch (thrown) {
      signal.throwIfAborted();
      const error = atDestination(withoutSecrets(asIncrepError(thrown), redact), name);
      exitCodes.push(error.exitCode);
      destinations.push({ name, error });
      if (isJson) continue;
      // Without the error, the heading would have nothing below it.
      if (!terminal.isOneFile && !(terminal.isStdoutTerminal && terminal.isStderrTerminal))
        terminal.out(`not read: see the error on stderr (${error.code})\n`);
      printError(error, terminal, { isJson, isVerbose: false });
    }
  }
  return {
    results,
    exitCode: combinedExitCode(exitCodes),
    unreached: destinations.flatMap(({ name, error }) => (error ? [{ name, error }] : [])),
    json: {
      destinations: destinations.map(({ name, error }) => ({
        name,
        error: error ? errorToJson(error) : null,
      })),
    },
  };
}

/** What a destination needs is a command for this destination. */
export const atDestination = (error: IncrepError, destination: string | undefined): IncrepError =>
  reworded(error, {
    what: error.message,
    next: onlyAtDestination(error.next, destination),
    cause: error.cause,
  });

const PARTLY_FAILED = 3;

/**
 * The rules are those of tables: one class of failure keeps its exit code, a mixture is 1, a partial failure is 3. 2
 * means differences. A 3 of one destination is a partial failure of all.
 */
export function combinedExitCode(codes: readonly number[]): number {
  const failures = codes.filter((code) => code !== 0 && code !== 2);
  const [first] = failures;
  if (first === undefined) return codes.includes(2) ? 2 : 0;
  if (failures.length < codes.length || failures.includes(PARTLY_FAILED)) return PARTLY_FAILED;
  return new Set(failures).size === 1 ? first : 1;
}

/** The field of a JSON document that names the destination, if there are several. */
export const ofDestination = ({ name }: Pick<Pipeline, 'name'>) =>
  name === undefined ? {} : { destination: name };
