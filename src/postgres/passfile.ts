/** Passes a password to a child process. Neither its arguments nor its environment show the password. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The format of libpq cannot contain a line break. */
export const fitsPassfile = (password: string | undefined): boolean => !/[\r\n\0]/.test(password ?? '');

export const SERVICE_FILE = 'service.conf';

interface TemporaryPassfile {
  /** Contains only the file and perhaps a service file, mode 0700. It serves as HOME of a child, so that no file of the user has an effect. */
  readonly directory: string;
  readonly path: string;
  /** Removes the file as soon as it is not needed. A process that is killed later leaves no password behind. */
  readonly forget: () => Promise<void>;
}

export async function withPassfile<T>(
  password: string | undefined,
  /** The lines of a service file of libpq. */
  service: readonly string[],
  use: (passfile: TemporaryPassfile) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'increp-'));
  try {
    const path = join(directory, 'pgpass');
    const escaped = (password ?? '').replaceAll(/[\\:]/g, '\\$&');
    await writeFile(path, `*:*:*:*:${escaped}\n`, { mode: 0o600 });
    const servicePath = join(directory, SERVICE_FILE);
    if (service.length > 0) await writeFile(servicePath, `${service.join('\n')}\n`, { mode: 0o600 });
    const forget = async () => {
      await rm(path, { force: true });
      await rm(servicePath, { force: true });
    };
    return await use({ directory, path, forget });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
