/**
 * For tests with certificates, which the command `openssl` makes. A machine without it leaves these tests out, and so
 * does one without pg_dump; in the gate, where CI is set, they would fail.
 */
import process from 'node:process';
import { test } from 'vitest';
import { hasOpenssl } from './openssl-here.ts';
import { hasPgDump } from './pg-dump-here.ts';

export const testWithTls = test.skipIf(!process.env['CI'] && !(hasOpenssl() && hasPgDump()));
export const canTestTls = Boolean(process.env['CI']) || (hasOpenssl() && hasPgDump());
