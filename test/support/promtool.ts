/** Prometheus' own checker. Tests that need it are left out where it is missing, and fail in CI. */
import process from 'node:process';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { hasPromtool } from './promtool-here.ts';

export const testWithPromtool = test.skipIf(!process.env['CI'] && !hasPromtool());

/** Expects that it finds nothing to say against `input`, or against the files among the arguments. */
export async function expectPromtoolClean(args: readonly string[], input = ''): Promise<void> {
  const { exitCode, all } = await execa('promtool', args, { input, reject: false, all: true });
  expect(exitCode, all).toBe(0);
  // Lint of `check metrics` names the metric it is about.
  if (args[1] === 'metrics') expect(all).toBe('');
}
