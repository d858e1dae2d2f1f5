/** A command over the destinations of a pipeline, one after the other: one that is away keeps no other from being told. */
import { asIncrepError, type IncrepError } from '../../errors.ts';
import { formatError } from '../../report/error.ts';
import { destinationHeading } from '../../report/destination.ts';
import { errorToJson } from '../../report/summary-json.ts';
import { withoutSecrets, type Context, type Pipeline } from './context.ts';

export interface Looked<T> {
  /** Of those that could be looked at, with the name of the destination where it has one. */
  readonly found: readonly T[];
  readonly exitCode: number;
  /** What a JSON document says besides, where there are several. */
  readonly json: { readonly destinations?: readonly object[] };
}

interface Look<T> {
  readonly isJson: boolean;
  /** Prints, unless JSON is asked for. */
  readonly look: (pipeline: Pipeline) => Promise<{ readonly told: T; readonly exitCode: number }>;
}

/** @throws what a pipeline with one destination meets */
export async function eachDestination<T>(
  { pipelines, terminal, redact, signal }: Context,
  { isJson, look }: Look<T>,
): Promise<Looked<T>> {
  const [only, ...others] = pipelines;
  if (only && others.length === 0 && only.name === undefined) {
    const { told, exitCode } = await look(only);
    return { found: [told], exitCode, json: {} };
  }
  const found: T[] = [];
  const destinations: { name: string; error: IncrepError | undefined }[] = [];
  const exitCodes: number[] = [];
  for (const pipeline of pipelines) {
    const name = pipeline.name ?? '';
    if (!isJson) terminal.out(destinationHeading(name, exitCodes.length === 0, terminal.style));
    try {
      const { told, exitCode } = await look(pipeline);
      found.push(told);
      exitCodes.push(exitCode);
      destinations.push({ name, error: undefined });
    } catch (thrown) {
      signal.throwIfAborted();
      const error = withoutSecrets(asIncrepError(thrown), redact);
      exitCodes.push(error.exitCode);
      destinations.push({ name, error });
      if (!isJson) terminal.say(formatError(error, terminal.sayStyle));
    }
  }
  return {
    found,
    exitCode: combinedExitCode(exitCodes),
    json: {
      destinations: destinations.map(({ name, error }) => ({
        name,
        error: error ? errorToJson(error) : null,
      })),
    },
  };
}

/** As of tables: one class of failure is told, a mixture is 1, some is 3. 2 says that there is something to see. */
function combinedExitCode(codes: readonly number[]): number {
  const failures = codes.filter((code) => code !== 0 && code !== 2);
  const [first] = failures;
  if (first === undefined) return codes.includes(2) ? 2 : 0;
  if (failures.length < codes.length) return 3;
  return new Set(failures).size === 1 ? first : 1;
}

/** What a JSON document says of whatever belongs to one of several destinations. */
export const ofDestination = ({ name }: Pick<Pipeline, 'name'>) =>
  name === undefined ? {} : { destination: name };
