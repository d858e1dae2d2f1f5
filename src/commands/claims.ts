/** --adopt and --replace: leave to write into tables that increp did not fill, and never into all of them by one word. */
import { IncrepError } from '../errors.ts';
import { readPattern, starsOf } from '../schema/patterns.ts';
import type { PlanRequest } from '../sync/plan/plan.ts';

interface Claims {
  readonly adopt: boolean;
  readonly replace: boolean;
}

export const claimOf = ({ adopt, replace }: Claims): PlanRequest['claim'] =>
  adopt ? 'adopt' : replace ? 'replace' : undefined;

/** @throws IncrepError USAGE */
export function ensureClaimNamed(tables: readonly string[], claims: Claims): void {
  const claim = claimOf(claims);
  const pattern = tables.find((name) => starsOf(readPattern(name)) > 0);
  if (claim === undefined || (tables.length > 0 && pattern === undefined)) return;
  throw new IncrepError('USAGE', {
    what:
      pattern === undefined
        ? `--${claim} needs the names of the tables`
        : `--${claim} needs the names of the tables, and "${pattern}" is a pattern`,
    next: `Name each of them: increp sync TABLE --${claim}`,
  });
}
