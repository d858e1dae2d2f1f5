/** Findings about a destination table and its saved state: pure. */
import { IncrepError } from '../errors.ts';
import { goneRowsText, listed } from '../format.ts';
import type { Dependent } from '../postgres/dependent-object-list.ts';
import { reasonText } from '../report/reasons.ts';
import { removalVerb } from '../schema/deleted-rows.ts';
import { altersTable } from '../schema/evolution.ts';
import { printName } from '../schema/names.ts';
import { isShared } from '../schema/row-identity.ts';
import { rowsFrom } from '../schema/selection.ts';
import { identifyByRow } from '../sql/destination.ts';
import { ident } from '../sql/identifiers.ts';
import { giveTableTo, grantCreate } from '../sql/inspect.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { previewInWords } from '../sync/load/preview-removed-rows.ts';
import { limitRefusal } from '../sync/load/removed-rows.ts';
import { NOT_OURS, stagingFault } from '../sync/plan/destination-refusals.ts';
import { describeDependent } from '../sync/plan/drop-by-hand.ts';
import { renamedColumnNote } from '../sync/plan/altered-destination.ts';
import { renameBack } from '../sync/plan/renamed-columns.ts';
import { previewEvolution, previewObstruction } from '../sync/plan/evolution-preview.ts';
import { isHindered, isItself, ownershipStep, type Obstruction } from '../sync/plan/obstructions.ts';
import { keepingNote, keptUncopied, unmaskedAfter } from '../sync/plan/kept-values.ts';
import { keepsRest } from '../sync/plan/reload-guard.ts';
import { removedColumns } from '../sync/run/table-outcome.ts';
import { failureFinding, note, warning, type Finding } from './finding.ts';
import type { Inspection } from './inspect.ts';
import { largeLoadFindings, loaderFindings, lockFindings } from './reading-findings.ts';
import type { Workable } from './table-findings.ts';

export function destinationFindings(table: TableFacts, plan: Workable, found: Inspection): Finding[] {
  const before = [
    ...loaderFindings(table, plan, found),
    ...largeLoadFindings(table, plan),
    ...lockFindings(table, plan, found),
    ...rightFindings(table, plan, found),
    ...identityFindings(table, found),
    ...rowTriggerFindings(table, found),
  ];
  const after = [
    ...goneFindings(table, plan, found),
    ...removedColumnFindings(table, plan, found),
    ...keptValueFindings(table, plan),
    ...conversionFindings(table, found),
    ...dependentFindings(table, plan, found.dependents.get(table) ?? []),
  ];
  const isRefused = [...before, ...after].some(({ level }) => level === 'error');
  return [...before, ...stateFindings(table, plan, isRefused), ...after];
}

function identityFindings(
  { destination, destinationName, settings }: TableFacts,
  found: Inspection,
): Finding[] {
  const publication = destination && found.withoutIdentity.get(destination.oid);
  if (publication === undefined) return [];
  const error = new IncrepError('NO_REPLICA_IDENTITY', {
    what: `${printName(destinationName)} is in the publication "${publication}" of the destination but has no replica identity, so the server refuses to update or delete its rows`,
    next: `At the destination, run: ${identifyByRow(destinationName)}`,
  });
  return [failureFinding(error, settings.name)];
}

/**
 * Such a trigger may be wanted, so this is a note. A sync counts a row that it discards as inserted or unchanged. A destination with
 * writers of its own usually has one that sets the key (CONFLICT_TRIGGER).
 */
function rowTriggerFindings(
  { destination, destinationName, settings }: TableFacts,
  { rowTriggers }: Inspection,
): Finding[] {
  const isWanted = settings.onConflict === 'last_update_wins';
  const names = destination && !isWanted ? (rowTriggers.get(destination.oid) ?? []) : [];
  if (names.length === 0) return [];
  const what = `${names.length === 1 ? 'trigger' : 'triggers'} ${listed(names.map(ident), LISTED)} of ${printName(destinationName)} can change or discard each row that increp writes`;
  return [note('ROW_TRIGGER', settings.name, what, ROW_TRIGGER_ADVICE)];
}

const ROW_TRIGGER_ADVICE =
  'If they only check rows, no action is needed. A sync warns of rows that it wrote and that differ. To find all of them, run "increp verify".';

function rightFindings(table: TableFacts, plan: Workable, { owners, quiet }: Inspection): Finding[] {
  const { settings, destination, destinationName, destinationSchema: access, saved } = table;
  if (!destination) return [];
  const owner = owners.get(destination.oid);
  const give = `At the destination, run as a superuser: ${giveTableTo(destinationName, access.role)}`;
  if (owner && !owner.isOurs && !owner.canWrite)
    return [
      refused(
        settings.name,
        `role "${access.role}" may not write to ${printName(destinationName)}, whose owner is "${owner.owner}"`,
        saved.kind === 'record' ? give : NOT_OURS,
      ),
    ];
  if (owner && !owner.isOurs && plan.kind === 'incremental' && plan.evolution && altersTable(plan.evolution))
    return [
      refused(
        settings.name,
        `${reasonText(plan.reasons)}, but role "${access.role}" is not the owner of ${printName(destinationName)} ("${owner.owner}")`,
        give,
      ),
    ];
  return [
    ...(owner && !owner.isOurs
      ? [
          warning(
            'NOT_OWNER',
            settings.name,
            `the owner of ${printName(destinationName)} is "${owner.owner}", so role "${access.role}" can merge rows but cannot create an index or alter the table`,
            give,
          ),
        ]
      : []),
    ...stagingFindings(table, plan, quiet.has(table)),
  ];
}

/** A sync that finds no changes needs no staging table. */
function stagingFindings(table: TableFacts, plan: Workable, isQuiet: boolean): Finding[] {
  const { settings, stagingName, destinationSchema: access } = table;
  const fault = stagingFault(table, plan);
  const isCertain = !isQuiet && !('unchangedCheck' in plan && plan.unchangedCheck !== undefined);
  if (fault && isCertain) return [failureFinding(fault, settings.name)];
  if (!access.exists || access.canCreate) return [];
  return [
    warning(
      'PRIVILEGE_MISSING',
      settings.name,
      `role "${access.role}" may not create tables in schema "${stagingName.schema}" of the destination (database "${access.database}"), so ${fault ? 'the next sync with changes, and each load, will fail' : 'each load will fail'}`,
      `At the destination, run: ${grantCreate(stagingName.schema, access.role)}`,
    ),
  ];
}

const refused = (table: string, what: string, next: string): Finding =>
  failureFinding(new IncrepError('PRIVILEGE_MISSING', { what, next }), table);

/** @param isRefused whether an error of this table says that the sync fails */
function stateFindings(table: TableFacts, plan: Workable, isRefused: boolean): Finding[] {
  const { settings, destination, saved, stagingName: staging } = table;
  const { name } = settings;
  return [
    // After `increp reset`, no table has drifted.
    ...(plan.action === 'reset' && plan.reasons.every(({ code }) => code !== 'was-reset')
      ? [resetFinding(table, plan, isRefused)]
      : []),
    ...(plan.kind === 'incremental' && (plan.evolution || plan.rewritten?.code === 'destination-replaced')
      ? [
          note(
            'DRIFT',
            name,
            reasonText(plan.reasons.filter(({ code }) => code !== 'cursor-known')),
            [
              ...(isRefused ? [] : ['The next sync does this.']),
              ...(plan.evolution ? ['To see the statements, run "increp plan".'] : []),
            ].join(' ') || undefined,
          ),
        ]
      : []),
    ...(destination && saved.kind === 'none' && saved.isNamed !== true
      ? [
          warning(
            'TABLE_NOT_MANAGED',
            name,
            `"${settings.destinationTable}" exists at the destination, but increp has no state for it`,
            `The next sync ${fillingWords(table)}. If it holds other data, set another "dest_name".`,
          ),
        ]
      : []),
    ...(saved.kind === 'legacy'
      ? [
          note(
            'LEGACY_STATE',
            name,
            `the table continues from the older state file (${saved.cursor})`,
            'After the first sync, run "increp verify".',
          ),
        ]
      : []),
    ...(staging.table === `${table.stateName.table}_stg`
      ? []
      : [
          note(
            'NAME_TRUNCATED',
            name,
            `the name of its staging table is cut to "${staging.table}", because a name has at most 63 bytes`,
          ),
        ]),
  ];
}

function resetFinding(table: TableFacts, plan: Workable, isRefused: boolean): Finding {
  const { name } = table.settings;
  const reason = reasonText(plan.reasons);
  const renames = [
    ...renamedColumnNote(table, plan.source),
    ...renameBack(table, plan.source).map((text) => `${text}.`),
  ];
  if (!isRefused)
    return warning('DRIFT', name, reason, [...renames, 'The next sync loads the table again.'].join('\n'));
  return note('DRIFT', name, reason, renames.length === 0 ? undefined : renames.join('\n'));
}

/** The effect of a load on existing rows. */
function fillingWords({ settings }: TableFacts): string {
  if (keepsRest(settings)) return 'merges the source rows into it and removes no rows';
  return isShared(settings)
    ? 'loads the rows of this pipeline into it and keeps the rows of other pipelines'
    : 'fills it';
}

const wouldBeRefused = (name: string, { what, next }: Obstruction): Finding =>
  failureFinding(
    new IncrepError('DEPENDENT_OBJECTS', {
      what: `the next sync must alter the table and would fail: ${what}`,
      next,
    }),
    name,
  );

/** Rows that exist only in the destination table, if the next sync loads it again. */
function goneFindings(table: TableFacts, plan: Workable, found: Inspection): Finding[] {
  const gone = found.gone.get(table);
  if (plan.kind !== 'load' || !gone || gone.gone === 0) return [];
  const { name } = table.settings;
  const refusal = limitRefusal({ facts: table, plan, isForced: false }, gone);
  if (refusal) return [failureFinding(refusal, name)];
  // A table in mode full-refresh loses such rows at each sync, as it should.
  if (table.settings.mode === 'full-refresh') return [];
  return [
    warning(
      'LOAD_REMOVES',
      name,
      `the next sync loads the table again and ${removalVerb(table.settings)}s ${previewInWords(gone)} ${goneRowsText(rowsFrom(table.settings.selection))}`,
      `If you need these rows, set "deletes": "keep" before the next sync.${keepingNote(table)}`,
    ),
  ];
}

/** An obstruction says how to keep the columns. */
function removedColumnFindings(table: TableFacts, plan: Workable, { dependents }: Inspection): Finding[] {
  const names = removedColumns(table, plan).map((name) => `"${name}"`);
  if (names.length === 0 || previewObstruction(table, plan, dependents.get(table) ?? [])) return [];
  const isOne = names.length === 1;
  return [
    warning(
      'COLUMN_REMOVED',
      table.settings.name,
      `the next sync removes ${isOne ? 'column' : 'columns'} ${listed(names, LISTED)} with ${isOne ? 'its' : 'their'} values`,
      `To keep ${isOne ? 'it' : 'them'}, set "dropped_columns": "keep" before the next sync.`,
    ),
  ];
}

/** Values that the selection hides now, and that stay at the destination. */
function keptValueFindings(table: TableFacts, plan: Workable): Finding[] {
  const { name } = table.settings;
  const unmasked = unmaskedAfter(table, plan);
  const uncopied = keptUncopied(table, plan.source);
  return [
    ...(unmasked ? [warning('KEPT_ROWS', name, unmasked.what, unmasked.next)] : []),
    ...(uncopied ? [warning('EXCLUDED_COLUMN_KEPT', name, uncopied.what, uncopied.next)] : []),
  ];
}

/** Values of kept rows that a change of type would change. */
function conversionFindings(table: TableFacts, { conversions }: Inspection): Finding[] {
  const { refusal, warnings = [] } = conversions.get(table) ?? {};
  const { name } = table.settings;
  return [
    ...(refusal ? [failureFinding(refusal, name)] : []),
    ...warnings.map((message) =>
      warning('KEPT_ROWS', name, message, 'To see the statements of the next sync, run "increp plan".'),
    ),
  ];
}

/** The number of objects that a message names. */
const LISTED = 10;

/** Describes the current effect if the next sync alters the table, otherwise the effect of a later schema change. */
function dependentFindings(table: TableFacts, plan: Workable, dependents: readonly Dependent[]): Finding[] {
  const { name } = table.settings;
  if (dependents.length === 0) return [];
  // ownerFindings names the owner of the table itself.
  const others = dependents.filter((each) => !isItself(each));
  const builtOn = `dependent objects: ${listed(
    others.map((each) => describeDependent(each)),
    LISTED,
  )}`;
  if (plan.kind === 'load' && (plan.way === 'swap' || plan.way === 'extend')) {
    const obstruction = previewObstruction(table, plan, dependents);
    return obstruction
      ? [wouldBeRefused(name, obstruction)]
      : others.length === 0
        ? []
        : [note('DEPENDENT_OBJECTS', name, `${builtOn}; the next sync keeps them`)];
  }
  const hindered = others.filter((each) => isHindered(each));
  if (plan.kind === 'incremental' && plan.evolution) {
    const { obstruction, warnings = [] } = previewEvolution(table, plan, dependents) ?? {};
    return [
      ...warnings.map((message) =>
        warning(
          'DEPENDENT_OBJECTS',
          name,
          message,
          'Drop the object and create it again after the sync, or accept the load.',
        ),
      ),
      ...(obstruction ? [wouldBeRefused(name, obstruction)] : []),
    ];
  }
  const [step] = ownershipStep(table, hindered);
  return step === undefined
    ? []
    : [
        note(
          'DEPENDENT_OBJECTS',
          name,
          `${builtOn}; if a column type changes at the source, increp cannot move ${hindered.every(({ isOurs }) => isOurs) ? 'the objects without more privileges' : 'objects of other owners'}`,
          step,
        ),
      ];
}
