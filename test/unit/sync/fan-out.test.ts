/** Who waits for whom, and for how long: without a server. */
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { broadcast, newBranch } from '../../../src/postgres/broadcast.ts';
import { Rendezvous } from '../../../src/sync/fan-out/rendezvous.ts';

const unused = { seconds: 60, tooSlow: () => new Error('too slow') };

const bytes = (length: number): Buffer[] =>
  Array.from({ length }, (_, index) => Buffer.alloc(100_000, index % 251));

test('all get the same bytes', async () => {
  const branches = [newBranch(), newBranch(), newBranch()];
  const received = Promise.all(branches.map((branch) => buffer(branch)));
  await broadcast(Readable.from(bytes(50)), branches, unused);
  for (const one of await received) expect(one.equals(Buffer.concat(bytes(50)))).toBe(true);
});

test('a slow one sets the pace, and nothing piles up before it', async () => {
  const [slow, quick] = [newBranch(), newBranch()];
  let handedOut = 0;
  async function* counted() {
    for (const chunk of bytes(40)) {
      handedOut += chunk.length;
      yield chunk;
      await sleep(0);
    }
  }
  const sending = broadcast(Readable.from(counted()), [slow, quick], unused);
  const rest = buffer(quick);
  await sleep(100);
  // What a few streams hold, of four million bytes.
  expect(handedOut).toBeLessThan(2_200_000);
  expect((await buffer(slow)).length).toBe(4_000_000);
  await sending;
  expect((await rest).length).toBe(4_000_000);
});

test('one that fails costs the others nothing', async () => {
  const [failing, other] = [newBranch(), newBranch()];
  const received = buffer(other);
  const sending = broadcast(Readable.from(bytes(50)), [failing, other], unused);
  await sleep(10);
  failing.destroy(new Error('its server is gone'));
  await sending;
  expect((await received).length).toBe(5_000_000);
});

test('one that takes nothing is given up, with what is to be said of it', async () => {
  const [stuck, other] = [newBranch(), newBranch()];
  const received = buffer(other);
  const told = new Promise((resolve) => stuck.once('error', resolve));
  await broadcast(Readable.from(bytes(50)), [stuck, other], {
    seconds: 0.1,
    tooSlow: () => new Error('it took nothing'),
  });
  expect(await told).toEqual(new Error('it took nothing'));
  expect((await received).length).toBe(5_000_000);
});

test('one that is alone may take its time', async () => {
  const stuck = newBranch();
  const sending = broadcast(Readable.from(bytes(50)), [stuck], { ...unused, seconds: 0.05 });
  await sleep(200);
  expect((await buffer(stuck)).length).toBe(5_000_000);
  await sending;
});

test('what the source fails with, all fail with', async () => {
  const branches = [newBranch(), newBranch()];
  const failures = Promise.all(
    branches.map((branch) => buffer(branch).catch((error: Error) => error.message)),
  );
  const source = new PassThrough();
  const sending = broadcast(source, branches, unused).catch((error: Error) => error.message);
  source.write('abc');
  source.destroy(new Error('no more rows'));
  expect(await sending).toBe('no more rows');
  expect(await failures).toEqual(['no more rows', 'no more rows']);
});

test('when nobody is left, the rest is not read', async () => {
  const branches = [newBranch(), newBranch()];
  const source = Readable.from(bytes(50));
  const sending = broadcast(source, branches, unused).catch((error: Error) => error.message);
  for (const branch of branches) branch.destroy();
  expect(await sending).toBe('no receiver is left');
  expect(source.destroyed).toBe(true);
});

const meetingOf = (names: readonly string[], waitMs = 60_000, signal?: AbortSignal) =>
  new Rendezvous<string, number>(names, { waitMs, signal });

test('a meeting is over when all have come', async () => {
  const meeting = meetingOf(['a', 'b']);
  const first = meeting.come('a', 1);
  expect(meeting.isOver).toBe(false);
  expect(await meeting.come('b', 2)).toEqual(
    new Map([
      ['a', 1],
      ['b', 2],
    ]),
  );
  expect(await first).toEqual(await meeting.come('c', 3).then(() => first));
  expect(await meeting.come('d', 4)).toBeUndefined();
});

test('a meeting is over when the first has waited enough, and tells who is missing', async () => {
  const meeting = meetingOf(['a', 'b'], 50);
  expect(await meeting.come('a', 1)).toEqual(new Map([['a', 1]]));
  expect(meeting.missing).toEqual(['b']);
  expect(await meeting.come('b', 2)).toBeUndefined();
});

test('one that leaves is waited for no more', async () => {
  const meeting = meetingOf(['a', 'b', 'c']);
  const [a, b] = [meeting.come('a', 1), meeting.come('b', 2)];
  meeting.leave('c');
  expect([...((await a) ?? [])]).toEqual([
    ['a', 1],
    ['b', 2],
  ]);
  expect(await b).toBe(await a);
});

test('an empty meeting does not end because someone leaves', async () => {
  const meeting = meetingOf(['a', 'b']);
  meeting.leave('b');
  expect(meeting.isOver).toBe(false);
  expect(await meeting.come('a', 1)).toEqual(new Map([['a', 1]]));
});

test('a signal ends the waiting', async () => {
  const controller = new AbortController();
  const waiting = meetingOf(['a', 'b'], 60_000, controller.signal).come('a', 1);
  controller.abort(new Error('stopped'));
  await expect(waiting).rejects.toThrow('stopped');
});
