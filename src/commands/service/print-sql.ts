/** `serve --print-sql`: the statements that the control database lacks, for an administrator. */
import { resolve } from 'node:path';
import { readServiceSettings } from '../../config/service/control-database.ts';
import type { ServiceOptions } from './with-service.ts';

/** Without SERVE_DATABASE_URL, everything from nothing. */
export async function sqlFor(options: ServiceOptions): Promise<string> {
  const { environment, workingDirectory, timing } = options;
  const { ensureNotNewer, findVersions, missingSql } = await import('../../serve/install.ts');
  if (!environment['SERVE_DATABASE_URL'] && !environment['SERVE_DATABASE_URL_FILE'])
    return missingSql({ control: undefined, queue: undefined });
  const { ControlDatabase, asControlError } = await import('../../postgres/control-database.ts');
  const settings = await readServiceSettings(resolve(workingDirectory, options.pipelines), environment);
  await using control = new ControlDatabase(settings.control, { program: 'serve', connections: 1, timing });
  try {
    const found = await findVersions(control);
    ensureNotNewer(found);
    return await missingSql(found);
  } catch (error) {
    throw asControlError(error, control.endpoint);
  }
}
