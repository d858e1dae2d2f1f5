/** The loop by a clock of its own: what each run takes is what the test says. */
import { expect, test } from 'vitest';
import { repeat, type Loop } from '../../../../src/commands/watch/repeat.ts';
import type { Iteration } from '../../../../src/commands/watch/iteration.ts';
import { IncrepError } from '../../../../src/errors.ts';

const failure = (code: 'CONFIG_INVALID' | 'CONNECTION_FAILED', what = 'it is so') =>
  new IncrepError(code, { what, next: 'Mend it.' });

/** Seconds that each run takes, and what comes of it; the loop is stopped while it waits for the one after the last. */
async function loop(runs: readonly (readonly [number, (number | IncrepError)?])[], every = 30) {
  let now = 1_000_000;
  const controller = new AbortController();
  const begun: number[] = [];
  const notices: (string | undefined)[] = [];
  const told: [string, number][] = [];
  const signals = new Set<AbortSignal>();
  let resting = 0;
  const options: Loop = {
    everySeconds: every,
    signal: controller.signal,
    clock: () => now,
    wait: async (seconds, signal) => {
      if (begun.length === runs.length) controller.abort(failure('CONNECTION_FAILED', 'stopped'));
      signal.throwIfAborted();
      // Node's timers are early now and then.
      now += Math.max(0.4, seconds * 1000 - 0.5);
    },
    rest: () => {
      resting += 1;
      return { [Symbol.dispose]: () => void (resting -= 1) };
    },
    onError: ({ code }, times) => void told.push([code, times]),
  };
  const run = async ({ signal, notice }: Iteration): Promise<number> => {
    const [seconds, outcome = 0] = runs[begun.length] ?? [0];
    begun.push((now - 1_000_000) / 1000);
    notices.push(notice);
    signals.add(signal);
    now += seconds * 1000;
    if (outcome instanceof IncrepError) throw outcome;
    return outcome;
  };
  const exitCode = await repeat(options, run);
  expect(resting).toBe(0);
  return { exitCode, begun: begun.map(Math.round), notices, told, signals };
}

test('runs begin at whole intervals, each behind a signal of its own, and a signal between two of them ends well', async () => {
  const { exitCode, begun, notices, signals } = await loop([[1], [29.9], [0], [12]]);
  expect(begun).toEqual([0, 30, 60, 90]);
  expect(exitCode).toBe(0);
  expect(new Set(notices)).toEqual(new Set([undefined]));
  expect(signals.size).toBe(4);
});

test('a run that takes too long costs the turns that it covers, and the log is told how many', async () => {
  const { begun, notices } = await loop([[1], [95], [1], [31], [1]]);
  expect(begun).toEqual([0, 30, 150, 180, 240]);
  expect(notices).toEqual([
    ...[undefined, undefined],
    'skipped 3 runs (every 30s): the previous run ended 1 min 5 s after the next one was due',
    ...[undefined, 'skipped 1 run (every 30s): the previous run ended 1.0 s after the next one was due'],
  ]);
});

test('runs that fail do not end it; the same error is told in full once', async () => {
  const config = failure('CONFIG_INVALID');
  const { begun, told } = await loop([
    [1, 3],
    [1, config],
    [1, config],
    [1, failure('CONFIG_INVALID', 'it is otherwise')],
    [1],
    [1, config],
  ]);
  expect(begun).toHaveLength(6);
  expect(told).toEqual([
    ['CONFIG_INVALID', 1],
    ['CONFIG_INVALID', 2],
    ['CONFIG_INVALID', 1],
    ['CONFIG_INVALID', 1],
  ]);
});

test('what is wrong with the configuration at the very start ends it at once', async () => {
  await expect(loop([[1, failure('CONFIG_INVALID')]])).rejects.toThrow('it is so');
  expect(await loop([[1, 78]])).toMatchObject({ exitCode: 78, begun: [0] });
  expect(await loop([[1, failure('CONNECTION_FAILED')], [1, 78], [1]])).toMatchObject({ exitCode: 0 });
});

test.each([
  ['rolled it back', 69, 69],
  ['came when all was done', 0, 0],
  ['came when it had failed by itself', 3, 0],
])('a signal reaches the run: it %s', async (_what, ofRun, exitCode) => {
  const controller = new AbortController();
  const run = ({ signal }: Iteration): Promise<number> => {
    controller.abort(failure('CONNECTION_FAILED', 'stopped'));
    expect(signal.reason).toBe(controller.signal.reason);
    return Promise.resolve(ofRun);
  };
  const never = () => {
    throw new Error('there is nothing to wait for');
  };
  const options = { everySeconds: 1, signal: controller.signal, onError: never, rest: never };
  expect(await repeat(options, run)).toBe(exitCode);
});
