/** The programs that references are made of, as far as they are installed. */
import { spawnSync } from 'node:child_process';

const PROGRAMS = ['psql', 'pg_dump', 'pg_restore', 'pgcopydb', 'bash'] as const;

type Program = (typeof PROGRAMS)[number];

/** Their versions, as they say them; null where a program is missing. */
export type Tools = Readonly<Record<Program, string | null>>;

export function findTools(): Tools {
  const found = PROGRAMS.map((program) => {
    const { status, stdout } = spawnSync(program, ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return [program, status === 0 ? (stdout.split('\n', 1)[0] ?? '') : null];
  });
  return Object.fromEntries(found) as Tools;
}

export const hasAll = (tools: Tools, ...programs: readonly Program[]): boolean =>
  programs.every((program) => tools[program] !== null);

/** What is left out for want of them. */
export function missingNotes(tools: Tools): string[] {
  const missing = PROGRAMS.filter((program) => tools[program] === null);
  return missing.length === 0 ? [] : [`Not installed, so what needs it is left out: ${missing.join(', ')}.`];
}
