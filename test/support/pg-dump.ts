/**
 * For tests of what pg_dump and pg_restore do. A machine without them leaves these tests out, and the run says so;
 * in the gate, where CI is set and the programs are installed, they would fail.
 */
import process from 'node:process';
import { test } from 'vitest';
import { hasPgDump } from './pg-dump-here.ts';

export const testWithPgDump = test.skipIf(!process.env['CI'] && !hasPgDump());
