/** Commands that must work wherever the search path, the role or a pooler makes it hard. */
import { expect } from 'vitest';
import { increp } from './increp.ts';
import type { Pair } from './pair.ts';

/** After a first sync and `verify`. */
export const LATER_COMMANDS = ['check', 'plan', 'status', 'sync --verify', 'sync --full-refresh'] as const;

export async function expectCommandsWork(pair: Pair, commands: readonly string[]): Promise<void> {
  for (const command of commands) {
    const result = await increp(command, pair);
    expect(result.exitCode, `${command}: ${result.stdout}${result.stderr}`).toBe(0);
  }
}
