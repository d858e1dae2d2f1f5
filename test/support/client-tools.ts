/** Directories for PATH in which pg_dump and pg_restore are not what they are. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';

/** Shell commands by program; `real "$@"` there calls the real one. */
export type FakeTools = Partial<Record<'pg_dump' | 'pg_restore', string>>;

/** The environment in which these programs stand in front of the real ones. */
export async function fakeTools(directory: string, tools: FakeTools): Promise<{ PATH: string }> {
  const bin = join(directory, 'fake-bin');
  const path = process.env['PATH'] ?? '';
  await mkdir(bin, { recursive: true });
  for (const [program, commands] of Object.entries(tools)) {
    const file = join(bin, program);
    await writeFile(file, `#!/bin/sh\nPATH='${path}'\nreal() { ${program} "$@"; }\n${commands}\n`);
    await chmod(file, 0o755);
  }
  return { PATH: `${bin}:${path}` };
}

/** Answers `--version` truly and does something else when it is put to work. */
export const whenWorking = (commands: string): string =>
  `if [ "$1" = --version ]; then real "$@"; exit; fi\n${commands}`;

/** An environment in which neither of them is found. */
export async function noTools(directory: string): Promise<{ PATH: string }> {
  const bin = join(directory, 'empty-bin');
  await mkdir(bin, { recursive: true });
  return { PATH: bin };
}
