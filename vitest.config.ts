import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** These files are short, but take longest. Without results of an earlier run, Vitest would start them last. */
const LONGEST = /\/gate\/(?:faults-|versions|package|service-workers|crash)/;

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => LONGEST.test(moduleId);
    // oxlint-disable-next-line unicorn/no-array-sort -- it is no array
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

/** Tests against real servers. Modules are loaded once a worker, and the databases of one file serve the next one. */
const servers = (name: string, folders: readonly string[]) => ({
  test: {
    name,
    include: folders.map((folder) => `test/${folder}/**/*.test.ts`),
    globalSetup: 'test/support/global-setup.ts',
    setupFiles: 'test/support/each-file.ts',
    testTimeout: 60_000,
    hookTimeout: 120_000,
    isolate: false,
  },
});

export default defineConfig({
  test: {
    // A worker waits for its servers, so there is one more than there are cores.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongestFirst },
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], isolate: false } },
      servers('servers', ['db', 'cli']),
      servers('gate', ['gate']),
      servers('all', ['all']),
    ],
  },
});
