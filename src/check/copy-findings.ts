/** What there is to say of a copy and of what is known of it: pure. */
import { IncrepError } from '../errors.ts';
import type { Dependent } from '../postgres/dependents.ts';
import { listed } from '../format.ts';
import { altersTable } from '../schema/evolution.ts';
import { copyCauseText, reasonText } from '../report/reasons.ts';
import { printName } from '../schema/names.ts';
import { isShared } from '../schema/row-identity.ts';
import { ident } from '../sql/identifiers.ts';
import { identifyByRow } from '../sql/destination.ts';
import { giveCopyTo } from '../sql/inspect.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { inWords, limitRefusal } from '../sync/load/removed-rows.ts';
import { keepsRest } from '../sync/plan/reload-guard.ts';
import { unfitTools } from '../sync/plan/loader-choice.ts';
import { foreseeEvolution } from '../sync/plan/evolution-preview.ts';
import {
  describeDependent,
  foreseeObstruction,
  isOthers,
  ownershipStep,
  type Obstruction,
} from '../sync/plan/obstructions.ts';
import { failureFinding, note, warning, type Finding } from './finding.ts';
import type { Inspection } from './inspect.ts';
import type { Workable } from './table-findings.ts';

export const copyFindings = (table: TableFacts, plan: Workable, found: Inspection): Finding[] => [
  ...loaderFindings(table, plan, found),
  ...rightFindings(table, plan, found),
  ...identityFindings(table, found),
  ...stateFindings(table, plan),
  ...goneFindings(table, plan, found),
  ...dependentFindings(table, plan, found.dependents.get(table) ?? []),
];

/** What is the matter with pg_dump itself is said once, for all tables. */
function loaderFindings({ settings: { name } }: TableFacts, plan: Workable, found: Inspection): Finding[] {
  if (plan.kind !== 'load' || !plan.loader.cause || plan.loader.cause.code === 'small-table') return [];
  const { pgDump, facts } = found;
  if (
    pgDump &&
    plan.loader.cause.code === unfitTools({ tools: pgDump.tools, server: facts.servers.source })?.code
  )
    return [];
  return [note('LOADER', name, copyCauseText(plan.loader.cause))];
}

function identityFindings(
  { destination, destinationName, settings }: TableFacts,
  found: Inspection,
): Finding[] {
  const publication = destination && found.withoutIdentity.get(destination.oid);
  if (publication === undefined) return [];
  const error = new IncrepError('NO_REPLICA_IDENTITY', {
    what: `${printName(destinationName)} is in the publication "${publication}" of the destination and has neither a primary key nor another replica identity: the server refuses to change or remove its rows`,
    next: `At the destination, run: ${identifyByRow(destinationName)}`,
  });
  return [failureFinding(error, settings.name)];
}

function rightFindings(table: TableFacts, plan: Workable, { owners }: Inspection): Finding[] {
  const {
    settings,
    destination,
    destinationName,
    destinationSchema: access,
    staging,
    stagingName: stage,
  } = table;
  if (!destination) return [];
  const owner = owners.get(destination.oid);
  const give = `At the destination, run: ${giveCopyTo(destinationName, access.role)}`;
  if (owner && !owner.isOurs && !owner.canWrite)
    return [
      refused(
        settings.name,
        `role "${access.role}" may not write to ${printName(destinationName)}, which is ${owner.owner}'s`,
        give,
      ),
    ];
  if (owner && !owner.isOurs && plan.kind === 'incremental' && plan.evolution && altersTable(plan.evolution))
    return [
      refused(
        settings.name,
        `${reasonText(plan.reasons)}, which takes its owner: ${printName(destinationName)} is ${owner.owner}'s and not of role "${access.role}"`,
        give,
      ),
    ];
  return [
    ...(owner && !owner.isOurs
      ? [
          warning(
            'NOT_OWNER',
            settings.name,
            `${printName(destinationName)} is ${owner.owner}'s: role "${access.role}" can merge rows into it, but can give it neither an index nor another shape`,
            give,
          ),
        ]
      : []),
    ...(staging || (access.canUse && access.canCreate)
      ? []
      : [
          refused(
            settings.name,
            `role "${access.role}" may not create ${printName(stage)}, which a sync needs`,
            `At the destination, run: GRANT USAGE, CREATE ON SCHEMA ${ident(stage.schema)} TO ${ident(access.role)}`,
          ),
        ]),
  ];
}

const refused = (table: string, what: string, next: string): Finding =>
  failureFinding(new IncrepError('PRIVILEGE_MISSING', { what, next }), table);

function stateFindings(table: TableFacts, plan: Workable): Finding[] {
  const { settings, destination, saved, stagingName: staging } = table;
  const { name } = settings;
  return [
    ...(plan.action === 'reset'
      ? [
          warning(
            'DRIFT',
            name,
            reasonText(plan.reasons),
            'The next sync loads the table again, where nothing is in the way.',
          ),
        ]
      : []),
    ...(plan.kind === 'incremental' && plan.evolution
      ? [
          note(
            'DRIFT',
            name,
            reasonText(plan.reasons),
            'The next sync does so; "increp plan" shows the statements.',
          ),
        ]
      : []),
    ...(destination && saved.kind === 'none' && saved.isNamed !== true
      ? [
          warning(
            'TABLE_NOT_MANAGED',
            name,
            `"${settings.destinationName}" exists at the destination, but nothing is known of it`,
            `The next sync ${fillingWords(table)}. If it is not a copy, give this table another "dest_name".`,
          ),
        ]
      : []),
    ...(saved.kind === 'legacy'
      ? [
          note(
            'LEGACY_STATE',
            name,
            `continues from the older state file (${saved.cursor})`,
            'Run "increp verify" after the first sync.',
          ),
        ]
      : []),
    ...('warnings' in saved
      ? saved.warnings.map((message) => warning('STATE', name, message, 'The next sync puts it right.'))
      : []),
    ...(staging.table === `${table.stateName.table}_stg`
      ? []
      : [
          note(
            'NAME_TRUNCATED',
            name,
            `its staging table is called "${staging.table}", because names end at 63 bytes`,
          ),
        ]),
  ];
}

/** What a load does to rows that are there. */
function fillingWords({ settings }: TableFacts): string {
  if (keepsRest(settings)) return 'merges the rows of the source into it, and removes none';
  return isShared(settings)
    ? 'loads the rows of this pipeline into it, and leaves those of others alone'
    : 'fills it';
}

const wouldBeRefused = (name: string, { what, next }: Obstruction): Finding =>
  failureFinding(
    new IncrepError('DEPENDENT_OBJECTS', {
      what: `the next sync must give it another shape and would be refused: ${what}`,
      next,
    }),
    name,
  );

/** Rows that only the copy has, where it is about to be loaded again. */
function goneFindings(table: TableFacts, plan: Workable, found: Inspection): Finding[] {
  const gone = found.gone.get(table);
  if (plan.kind !== 'load' || !gone || gone.gone === 0) return [];
  const { name } = table.settings;
  const refusal = limitRefusal({ facts: table, plan, isForced: false }, gone);
  if (refusal) return [failureFinding(refusal, name)];
  return [
    warning(
      'LOAD_REMOVES',
      name,
      `the next sync loads it again, and removes ${gone.isEstimate ? 'about ' : ''}${inWords(gone)} that the source no longer has`,
      'If these rows must stay, do not sync the table before you have copied them.',
    ),
  ];
}

/** As many as a person reads. */
const LISTED = 10;

/** Now where a change of shape is due; else for the day when one will be. */
function dependentFindings(table: TableFacts, plan: Workable, dependents: readonly Dependent[]): Finding[] {
  const { name } = table.settings;
  if (dependents.length === 0) return [];
  const builtOn = `built on it: ${listed(
    dependents.map((each) => describeDependent(each)),
    LISTED,
  )}`;
  if (plan.kind === 'load' && plan.way === 'swap') {
    const obstruction = foreseeObstruction(table, plan.source, dependents);
    return obstruction
      ? [wouldBeRefused(name, obstruction)]
      : [note('DEPENDENT_OBJECTS', name, `${builtOn}; the next sync takes it along to the new shape`)];
  }
  const owned = dependents.filter((each) => isOthers(each));
  if (plan.kind === 'incremental' && plan.evolution) {
    const { obstruction, warnings = [] } = foreseeEvolution(table, plan, dependents) ?? {};
    return [
      ...warnings.map((message) =>
        warning(
          'DEPENDENT_OBJECTS',
          name,
          message,
          'Drop it and make it anew after the sync, or let the load happen.',
        ),
      ),
      ...(obstruction ? [wouldBeRefused(name, obstruction)] : []),
    ];
  }
  const [step] = ownershipStep(table, owned);
  return step === undefined
    ? []
    : [
        note(
          'DEPENDENT_OBJECTS',
          name,
          `${builtOn}; if the source changes the type of a column, increp may not move what others own`,
          step,
        ),
      ];
}
