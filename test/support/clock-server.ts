/** A Postgres server whose clock a test sets. */
import { mkdtemp, rename, rm, writeFile, chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { startServer } from '../../src/demo/embedded-server.ts';
import { faketimeHere } from './faketime-here.ts';

export interface ClockServer extends AsyncDisposable {
  url(database: string): string;
  /** Seconds between its clock and that of this machine. */
  setClock(offset: number): Promise<void>;
}

/** @throws if libfaketime is missing */
export async function clockServer(): Promise<ClockServer> {
  const library = faketimeHere();
  if (library === '') throw new Error('libfaketime is missing. To install it: apt-get install libfaketime');
  await using made = new AsyncDisposableStack();
  // The server belongs to another user, who reads the file.
  const directory = await mkdtemp('/tmp/increp-clock-');
  made.defer(() => rm(directory, { recursive: true }));
  await chmod(directory, 0o755);
  const file = join(directory, 'clock');
  const setClock = async (offset: number) => {
    // The server never sees half of a text.
    await writeFile(`${file}.new`, `${offset < 0 ? '' : '+'}${offset}s\n`);
    await rename(`${file}.new`, file);
  };
  await setClock(0);
  const server = made.use(
    await startServer({
      name: 'clock',
      environment: {
        LD_PRELOAD: library,
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_NO_CACHE: '1',
        // Waits of the server stay as long as they are.
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
    }),
  );
  const owned = made.move();
  return {
    url: (database) => server.url(database),
    setClock,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
