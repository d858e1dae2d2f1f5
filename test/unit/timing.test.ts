import { expect, test } from 'vitest';
import { DEFAULT_TIMING } from '../../src/timing.ts';
import { timingWith } from '../support/timing.ts';

/** Seconds, by the name in the object. A wait that users meet is part of what increp promises. */
const DEFAULTS: Readonly<Record<string, number>> = {
  connectTimeout: 10,
  passwordCommand: 30,
  closeTimeout: 1,
  'serve.claimPoll': 1,
  'serve.schedulePoll': 1,
  'serve.configPoll': 5,
  'serve.heartbeat': 30,
  'serve.beat': 10,
  'serve.monitor': 10,
  'serve.unservedRun': 600,
  'serve.directoryGrace': 600,
  'serve.streamPoll': 2,
  'serve.drain': 30,
  'serve.idleTransaction': 5,
  'serve.statement': 15,
  'serve.query': 30,
  'serve.screen': 10,
  'serve.probe': 2,
  'serve.respawn.base': 1,
  'serve.respawn.max': 30,
  lockTimeout: 5,
  sweepLock: 0.1,
  'waitingCount.one': 0.5,
  'waitingCount.all': 2,
  stallProbeTimeout: 10,
  standbyGrace: 5,
  standbyPoll: 0.5,
  commitGrace: 2,
  'tunnel.login': 60,
  'tunnel.retryDelay.base': 0.5,
  'tunnel.retryDelay.max': 8,
  'tunnel.reopen': 60,
  'tunnel.keepAlive': 10,
  'retryDelay.base': 0.5,
  'retryDelay.max': 8,
  transactionWait: 5,
  'transactionPoll.base': 0.01,
  'transactionPoll.max': 0.25,
  tableLockPoll: 0.5,
  tableLockGrace: 2,
  ownLockWait: 10,
  chunkLockGrace: 75,
  factsMaxAge: 30,
  'exclusiveLock.one': 0.2,
  'exclusiveLock.all': 0.6,
  'exclusiveLock.retryDelay.base': 0.2,
  'exclusiveLock.retryDelay.max': 4,
  'exclusiveLock.total': 60,
  indexWait: 600,
  refusedObjectPause: 3600,
  'fanOut.readerWait': 10,
  'fanOut.firstReaderWait': 3,
  'fanOut.stalled': 30,
  planCountTimeout: 10,
  statusSourceTimeout: 5,
  shutdown: 3,
  'delivery.attempt': 10,
  'delivery.retryDelay.base': 0.5,
  'delivery.retryDelay.max': 8,
  'delivery.retryAfter': 10,
  'delivery.webhookTotal': 30,
  'delivery.healthcheckTotal': 20,
  'delivery.healthcheckStart': 5,
  historyInterval: 2,
  childKillDelay: 2,
};

const leaves = (value: object, path: readonly string[] = []): [string, number][] =>
  Object.entries(value).flatMap(([name, each]: [string, object | number]) =>
    typeof each === 'object' ? leaves(each, [...path, name]) : [[[...path, name].join('.'), each]],
  );

test.each(Object.entries(DEFAULTS))('%s is %d s', (name, seconds) => {
  expect(new Map(leaves(DEFAULT_TIMING)).get(name)).toBe(seconds);
});

test('no default is without its test', () => {
  expect(
    leaves(DEFAULT_TIMING)
      .map(([name]) => name)
      .toSorted(),
  ).toEqual(Object.keys(DEFAULTS).toSorted());
});

test('all locks together are tried for less than a second, after which the server looks for deadlocks', () => {
  const { one, all } = DEFAULT_TIMING.exclusiveLock;
  expect(one + all).toBeLessThan(1);
});

test('a test changes single waits and keeps the others', () => {
  const changed = timingWith({ delivery: { attempt: 0.1 } });
  expect(changed.delivery).toMatchObject({ attempt: 0.1, webhookTotal: 30 });
  expect(changed.lockTimeout).toBe(5);
  expect(timingWith('default')).toBe(DEFAULT_TIMING);
});
