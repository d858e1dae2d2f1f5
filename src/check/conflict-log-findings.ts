/** Findings about `conflict_log`: pure. */
import { IncrepError } from '../errors.ts';
import { formatCount } from '../format.ts';
import { printName } from '../schema/names.ts';
import { ident, qualified } from '../sql/identifiers.ts';
import { conflictsTable } from '../sql/state.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { failureFinding, warning, type Finding } from './finding.ts';
import type { ConflictLogInspection } from './inspect-conflict-logs.ts';

/** Conflicts of one table within an hour. More than that are hardly single edits. */
const MANY_CONFLICTS = 100;

export function conflictLogFindings(
  { settings: { name }, destinationName: { schema }, destinationSchema: { role } }: TableFacts,
  found: ConflictLogInspection | undefined,
): Finding[] {
  if (!found) return [];
  const log = conflictsTable(schema);
  const grant = `At the destination, run: GRANT SELECT, INSERT, DELETE ON ${qualified(log)} TO ${ident(role)}`;
  if (found.kind === 'unreadable') {
    const isPrivilege = found.error.code === 'PRIVILEGE_MISSING';
    return [
      failureFinding(
        new IncrepError(isPrivilege ? 'PRIVILEGE_MISSING' : 'CONFLICT_LOG', {
          what: `"conflict_log" cannot use ${printName(log)} at the destination: ${found.error.message}`,
          next: isPrivilege
            ? grant
            : `Rename or drop the table. The next sync creates it again. Or set "conflict_log" to false.`,
        }),
        name,
      ),
    ];
  }
  if (!found.mayWrite)
    return [
      failureFinding(
        new IncrepError('PRIVILEGE_MISSING', {
          what: `role "${role}" may not write ${printName(log)} at the destination, which "conflict_log" needs`,
          next: grant,
        }),
        name,
      ),
    ];
  return found.conflicts > MANY_CONFLICTS
    ? [
        warning(
          'CONFLICTS',
          name,
          `${formatCount(found.conflicts)} conflicts in the last hour: others change rows at the destination that the source changes, too`,
          `Read them at the destination: SELECT * FROM ${qualified(log)} WHERE table_name = '${name.replaceAll("'", "''")}' ORDER BY happened_at DESC. A trigger at the destination that changes rows of increp looks like a conflict, too.`,
        ),
      ]
    : [];
}
