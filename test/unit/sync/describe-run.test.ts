/** What a message says about the other run that holds a table. */
import { spawnSync } from 'node:child_process';
import { hostname } from 'node:os';
import process from 'node:process';
import { expect, test } from 'vitest';
import { programName } from '../../../src/postgres/connect.ts';
import { describeRun } from '../../../src/sync/lock/table-lock.ts';

const session = { pid: 7, host: '10.0.0.1', seconds: 2, runSeconds: 75, blocker: null };

test('a run of increp is a process on a host, and is ended there', () => {
  expect(describeRun({ ...session, application: 'increp my shop 4242@worker-1 suffix' })).toEqual({
    text: 'process 4242 on host worker-1 (pipeline my shop), started 1 min 15 s ago, backend 7 of the destination',
    end: ': kill 4242 on host worker-1. If that process is gone, run at the destination: SELECT pg_terminate_backend(7)',
  });
  expect(describeRun({ ...session, application: programName('shop') }).text).toMatch(
    /^process \d+ on host \S+ \(pipeline shop\),/,
  );
});

test('a process of this machine that has ended is no run any more, but its backend may still work', () => {
  const { pid } = spawnSync(process.execPath, ['-e', '0']);
  expect(describeRun({ ...session, application: `increp shop ${pid}@${hostname()}` }).text).toBe(
    `process ${pid} on host ${hostname()} (pipeline shop) has ended; its work still ends or rolls back, started 1 min 15 s ago, backend 7 of the destination`,
  );
});

test('another program is named, and its backend is terminated', () => {
  expect(describeRun({ ...session, application: 'psql' })).toEqual({
    text: 'psql from 10.0.0.1, started 1 min 15 s ago, backend 7 of the destination',
    end: '; run at the destination: SELECT pg_terminate_backend(7)',
  });
});

test('each attempt of a run begins a transaction, so its age counts only without a start of the run', () => {
  expect(describeRun({ ...session, runSeconds: null, application: 'increp shop 1@web' }).text).toBe(
    'process 1 on host web (pipeline shop), in its transaction for 2.0 s, backend 7 of the destination',
  );
  const blocker = { pid: 8, application: 'psql', user: 'ann' };
  expect(describeRun({ ...session, blocker, application: 'increp shop 1@web' }).text).toMatch(
    /, backend 7 of the destination; that run waits for a lock of pid 8 \(psql\) of ann at the destination$/,
  );
});
