/** A token for `demo --serve`. */
import { readServiceSettings } from '../../config/service/control-database.ts';
import type { GlobalOptions } from '../terminal/options.ts';

interface DemoPlace {
  readonly directory: string;
  readonly controlUrl: string;
}

export async function makeToken(
  { directory, controlUrl }: DemoPlace,
  { timing }: Pick<GlobalOptions, 'timing'>,
): Promise<string> {
  const { ControlDatabase } = await import('../../postgres/control-database.ts');
  const { createToken } = await import('../../serve/actions/tokens.ts');
  const settings = await readServiceSettings(directory, { SERVE_DATABASE_URL: controlUrl });
  await using control = new ControlDatabase(settings.control, { program: 'serve', connections: 1, timing });
  const order = {
    name: 'demo',
    role: 'admin',
    pipelines: null,
    expiresInSeconds: undefined,
    by: 'increp demo',
  };
  const { text } = await createToken(control, { ...order, role: 'admin' });
  return text;
}
