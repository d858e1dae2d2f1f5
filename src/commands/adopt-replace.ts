/** --adopt and --replace: permission to write into tables that increp did not fill. Each table must be named. */
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
        : `--${claim} needs the names of the tables, but "${pattern}" is a pattern`,
    next: `Name each table: increp sync TABLE --${claim}`,
  });
}
