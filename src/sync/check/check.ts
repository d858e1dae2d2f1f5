/** From the settings outwards: what cannot be reached ends the look, everything else is found at once. */
import type { TableSettings } from '../../config/settings.ts';
import { asIncrepError } from '../../errors.ts';
import { ensureCouldWrite } from '../../state/state-files.ts';
import { gatherFacts } from '../facts.ts';
import { ensureDifferentDatabases } from '../same-database.ts';
import type { Work } from '../work.ts';
import type { Finding } from './finding.ts';
import { buildFindings, failureFinding } from './findings.ts';
import { inspect } from './inspect.ts';

export async function check(work: Work, tables: readonly TableSettings[]): Promise<Finding[]> {
  const reachable = await unreachable(work);
  const own = [
    ...settingsFindings(work),
    ...(await attempt(() => ensureCouldWrite(work.settings.stateDirectory))),
  ];
  if (reachable.length > 0) return [...reachable, ...own];
  const facts = await gatherFacts(work, tables);
  const same = await attempt(async () => ensureDifferentDatabases(work.settings, facts.servers));
  return [...own, ...same, ...buildFindings(await inspect(work, facts))];
}

/** Both sides are tried, so that two mistakes are two findings. */
async function unreachable({ source, destination, signal }: Work): Promise<Finding[]> {
  const findings = [
    ...(await attempt(() => source.identity())),
    ...(await attempt(() => destination.identity())),
  ];
  signal?.throwIfAborted();
  return findings;
}

async function attempt(work: () => Promise<unknown>): Promise<Finding[]> {
  try {
    await work();
    return [];
  } catch (error) {
    return [failureFinding(asIncrepError(error))];
  }
}

const settingsFindings = ({ settings }: Work): Finding[] =>
  settings.warnings.map((message) => ({
    level: 'warning',
    code: 'SETTINGS',
    table: undefined,
    message,
    action: undefined,
  }));
