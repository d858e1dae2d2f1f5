/** From the settings outwards: what cannot be reached ends the look, everything else is found at once. */
import type { TableSettings } from '../../config/settings.ts';
import { asIncrepError } from '../../errors.ts';
import { ensureCouldWrite } from '../../state/state-files.ts';
import { gatherFacts, type Facts } from '../facts.ts';
import { ensureDifferentDatabases } from '../same-database.ts';
import type { Work } from '../work.ts';
import type { Finding } from './finding.ts';
import { buildFindings, failureFinding } from './findings.ts';
import { inspect } from './inspect.ts';
import { metricsTextfileFindings } from './metrics-textfile.ts';

export async function check(work: Work, tables: readonly TableSettings[]): Promise<Finding[]> {
  const reachable = await unreachable(work);
  const own = [
    ...settingsFindings(work),
    ...(await attempt(() => ensureCouldWrite(work.settings.stateDirectory))),
    ...(await metricsTextfileFindings(work.settings)),
  ];
  if (reachable.length > 0) return [...reachable, ...own];
  own.push(...(await attempt(() => ensureDifferent(work))));
  const facts = await factsOrFailure(work, tables);
  if (!('code' in facts)) return [...own, ...buildFindings(await inspect(work, facts))];
  return own.some(({ code }) => code === facts.code) ? own : [...own, facts];
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

async function ensureDifferent({ settings, source, destination }: Work): Promise<void> {
  const servers = { source: await source.identity(), destination: await destination.identity() };
  ensureDifferentDatabases(settings, servers);
}

async function factsOrFailure(work: Work, tables: readonly TableSettings[]): Promise<Facts | Finding> {
  try {
    return await gatherFacts(work, tables);
  } catch (error) {
    work.signal?.throwIfAborted();
    return failureFinding(asIncrepError(error));
  }
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
