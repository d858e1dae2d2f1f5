/** What every run costs before it has done anything. */
import process from 'node:process';
import { increpCommand } from '../increp.ts';
import { measureCommand, type Command } from '../measure.ts';
import type { Contestant, ScenarioKind } from '../scenario.ts';
import type { Stage } from '../stage.ts';

const TARGET = 1.5;

export const startUp: ScenarioKind = {
  name: 'start-up',
  title: () => 'Start-up',
  rounds: (asked) => asked * 4,
  open: async (stage) => {
    const { directory } = stage.pair;
    const version = increpCommand(directory, ['--version']);
    const nothing: Command = { ...version, file: process.execPath, args: ['-e', '0'] };
    return {
      contestants: [start(stage, 'increp --version', version), start(stage, 'node -e 0', nothing)],
      comparisons: [{ subject: 'increp --version', reference: 'node -e 0', target: TARGET }],
      amount: () => ({ rows: null, bytes: null }),
    };
  },
};

const start = (stage: Stage, name: string, command: Command): Contestant => ({
  name,
  prepare: () => Promise.resolve(),
  run: async () => (await measureCommand(command, stage.servers)).figures,
  check: () => Promise.resolve(),
});
