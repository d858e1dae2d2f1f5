/** What this `serve` says of itself in the control database, so that another one does not remove its pipelines. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import * as z from 'zod';
import { LISTED, listedNames, utcTime } from '../format.ts';
import type { ControlDatabase } from '../postgres/control-database.ts';
import {
  FORGET_FORMER_PROCESS,
  OTHER_PROCESSES,
  REGISTER_PROCESS,
  REMOVE_PIPELINES,
} from '../sql/control/serve-processes.ts';
import type { Timing } from '../timing.ts';
import type { ServiceLog } from './service-log.ts';
import { silentIn } from './unserved-runs.ts';

export interface ServeProcess {
  /** A sign of life, with the names of the directories. The control database keeps their pipelines for a while after it. */
  readonly register: (pipelines: readonly string[]) => Promise<SharedNames>;
  /** Removes the directories that no `serve` has, and those of a `serve` that has been silent for long. */
  readonly removeOthers: () => Promise<void>;
}

/** The pipelines of this directory that a `serve` with other pipelines has, too. */
export type SharedNames = ReadonlySet<string>;

interface ServeProcessOptions {
  readonly root: string;
  readonly control: ControlDatabase;
  readonly timing: Timing;
  readonly log: Pick<ServiceLog, 'info' | 'warn'>;
}

const nameRow = z.object({ name: z.string() });
const processRow = z.object({
  id: z.string(),
  host: z.string(),
  process: z.number(),
  directory: z.string(),
  pipelines: z.array(z.string()),
  seenAt: z.date(),
});

export function serveProcess({ root, control, timing, log }: ServeProcessOptions): ServeProcess {
  const id = randomUUID();
  const host = hostname();
  const said = new Set<string>();
  let isRegistered = false;
  return {
    register: async (pipelines) => {
      await control.query(REGISTER_PROCESS, [id, host, process.pid, root, pipelines]);
      if (!isRegistered) await control.query(FORGET_FORMER_PROCESS, [id, host, root]);
      isRegistered = true;
      const { rows } = await control.query(OTHER_PROCESSES, [id, silentIn({ timing }), pipelines]);
      const others = z.array(processRow).parse(rows);
      for (const other of others) {
        if (said.has(other.id)) continue;
        said.add(other.id);
        const where = `in ${other.directory} on ${other.host} (process ${other.process}, last seen ${utcTime(other.seenAt)})`;
        const both = pipelines.filter((name) => other.pipelines.includes(name));
        log.warn(
          both.length === 0
            ? `another increp serve uses this control database with other pipelines: ${listOf(other.pipelines)} ${where}; this one has ${listOf(pipelines)} in ${root}`
            : `another increp serve has a pipeline of the same name: ${listOf(both)} ${where} and in ${root}; the schedule of the directory that was changed last counts, so rename one of the two directories`,
        );
      }
      return new Set(pipelines.filter((name) => others.some((other) => other.pipelines.includes(name))));
    },
    removeOthers: async () => {
      const { rows } = await control.query(REMOVE_PIPELINES, [timing.serve.directoryGrace]);
      for (const { name: pipeline } of z.array(nameRow).parse(rows))
        log.warn('the pipeline was removed, because no increp serve has its directory any more', {
          pipeline,
        });
    },
  };
}

const listOf = (names: readonly string[]): string =>
  names.length === 0 ? 'no pipeline' : listedNames(names, LISTED);
