/** What the service reads of a tables-config.json without any connection: the schedules and the number of jobs. */
import * as z from 'zod';
import type { SyncSchedule } from '../../schema/schedule.ts';
import { configError, type Problem } from '../problems.ts';
import type { IncrepError } from '../../errors.ts';
import { TABLES_FILE } from '../tables/schema-problems.ts';
import { readTables, readTablesFile, type TablesFile } from '../tables/tables.ts';
import type { DefaultSchemas } from '../tables/raw-entry.ts';
import { scheduleOf, scheduleSchema } from '../tables/schedule-schema.ts';

export interface ScheduledEntry {
  /** The name of the entry as it is written. Empty for the pipeline. */
  readonly entry: string;
  readonly schedule: SyncSchedule;
}

export interface PipelineOutline {
  readonly jobs: number;
  readonly schedules: readonly ScheduledEntry[];
  /** What is wrong with the file. */
  readonly problem: IncrepError | undefined;
}

/** Only for the check of names: the schemas of both sides are not known here. */
const HOMES = {
  source: { schema: 'public', isSchemaGiven: false },
  destination: { schema: 'public', isSchemaGiven: false },
} as const;

const READ_AGAIN = 'Fix the file. increp serve reads it again within seconds.';

const scheduled = z.object({ name: z.string().default(''), schedule: scheduleSchema });

export async function readOutline(directory: string): Promise<PipelineOutline> {
  const problems: Problem[] = [];
  const file = await readTablesFile(directory, (problem) => void problems.push(problem));
  return outlineOf({
    file,
    homes: HOMES,
    problems,
    place: { directory, file: TABLES_FILE, next: READ_AGAIN },
    placeOf: (where) => where,
  });
}

interface WrittenPipeline {
  readonly file: TablesFile;
  readonly homes: DefaultSchemas;
  /** What is known to be wrong. */
  readonly problems: readonly Problem[];
  /** For the message about problems. */
  readonly place: {
    readonly directory?: string;
    readonly pipeline?: string;
    readonly file?: string;
    readonly next: string;
  };
  /** Where a problem is, in words of its author. */
  readonly placeOf: (where: string) => string;
}

export function outlineOf({ file, homes, problems, place, placeOf }: WrittenPipeline): PipelineOutline {
  const all = [...problems];
  const report = (problem: Problem) => void all.push({ ...problem, where: placeOf(problem.where) });
  const { entries, jobs } = readTables(file, homes, report, () => undefined);
  const written = [file.document?.value, ...entries.map(({ value }) => value)];
  return {
    jobs,
    schedules: written.flatMap((value, index) => {
      const { data } = scheduled.safeParse(value);
      return data ? [{ entry: index === 0 ? '' : data.name, schedule: scheduleOf(data.schedule) }] : [];
    }),
    problem: all.length === 0 ? undefined : configError(all, place.directory, place),
  };
}
