/** `increp sequences`: sets sequences and identity columns of the destination beyond the copied values. */
import { exitCodeOfTables } from '../errors.ts';
import { redactedJson } from '../redact.ts';
import { formatSequences, freeSequencesNote } from '../report/sequences.ts';
import { errorToJson, FORMAT_VERSION } from '../report/summary-json.ts';
import type { FreeSequence } from '../sequences/free-sequences.ts';
import { setSequences, type SequenceResult } from '../sequences/sequences.ts';
import { readLastFailures } from '../status/last-failures.ts';
import { withContext } from './pipeline/context.ts';
import { eachDestination, ofDestination } from './pipeline/each-destination.ts';
import { expandTables } from '../pipeline/expand-tables.ts';
import { selectTables } from '../pipeline/select-tables.ts';
import { sayRemarks } from './pipeline/warn-unreachable.ts';
import type { GlobalOptions } from './terminal/options.ts';

export interface SequencesOptions extends GlobalOptions {
  readonly exclude: readonly string[];
  readonly destination: readonly string[];
  readonly dryRun: boolean;
  readonly json: boolean;
}

export async function sequencesCommand(
  tables: readonly string[],
  options: SequencesOptions,
): Promise<number> {
  return withContext(options, async (configured) => {
    const { context, remarks, noTables } = await expandTables(configured, { source: 'must' });
    if (noTables) throw noTables;
    const { settings, terminal, redact } = context;
    const chosen = selectTables(settings.tables, { names: tables, excluded: options.exclude });
    const { results, exitCode, json } = await eachDestination(context, {
      isJson: options.json,
      run: async (pipeline) => {
        const { runContext } = pipeline;
        const { results: found, free } = await setSequences(runContext, chosen, {
          isDryRun: options.dryRun,
          lastFailures: await readLastFailures(runContext, new Date()),
          isWhole: chosen.length === settings.tables.length,
        });
        if (!options.json) {
          terminal.out(redact(formatSequences(found, terminal.style, options.dryRun)));
          terminal.out(redact(freeSequencesNote(free, terminal.style)));
        }
        const failed = found.flatMap(({ error }) => (error ? [error.exitCode] : []));
        return {
          result: {
            sequences: found.map((each) => ({ ...ofDestination(pipeline), ...resultToJson(each) })),
            free: (free.kind === 'done' ? free.value : []).map((each) => ({
              ...ofDestination(pipeline),
              ...freeToJson(each),
            })),
          },
          exitCode: exitCodeOfTables(failed, found.length) || (found.some(isUncertain) ? UNCERTAIN : 0),
        };
      },
    });
    if (options.json)
      terminal.out(
        redactedJson(
          {
            type: 'sequences',
            format_version: FORMAT_VERSION,
            ...json,
            is_dry_run: options.dryRun,
            sequences: results.flatMap(({ sequences }) => sequences),
            free_sequences: results.flatMap(({ free }) => free),
          },
          redact,
        ),
      );
    sayRemarks(remarks, context);
    return exitCode;
  });
}

/** As of other commands that have something to report. */
const UNCERTAIN = 2;

/** The destination may give out a number twice, or none. */
const isUncertain = ({ kind, unread }: SequenceResult): boolean => kind === 'missing' || unread !== undefined;

const resultToJson = ({
  table,
  column,
  sequence,
  isCreated,
  unread,
  statements,
  kind,
  from,
  to,
  error,
}: SequenceResult) => ({
  table,
  column,
  sequence,
  state: kind,
  created: isCreated,
  last_value_before: from,
  last_value: to ?? from,
  source_read: unread === undefined,
  statements,
  error: error ? errorToJson(error) : null,
});

const freeToJson = ({ name, last, there, isMissing }: FreeSequence) => ({
  ...{ source_sequence: name, source_last_value: last },
  ...{ sequence: there, state: isMissing ? 'missing' : 'behind' },
});
