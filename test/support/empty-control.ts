/** A control database with the tables of the service, where no service has run. */
import { readServiceSettings } from '../../src/config/service/control-database.ts';
import { ControlDatabase } from '../../src/postgres/control-database.ts';
import { openQueue } from '../../src/serve/queue.ts';
import { createControl } from '../../src/serve/install.ts';
import { QUICK, type ControlPlace } from './service.ts';
import { timingWith } from './timing.ts';

export async function emptyControl(control: ControlPlace): Promise<void> {
  const timing = timingWith(QUICK);
  const { control: settings } = await readServiceSettings(control.root, { SERVE_DATABASE_URL: control.url });
  await using database = new ControlDatabase(settings, { program: 'serve', connections: 2, timing });
  await using queue = await openQueue(
    { control: database, timing: timing.serve, onError: () => undefined },
    true,
  );
  await database.transaction(createControl);
  await queue.start();
}
