import type { Phase, RunEvent } from '../../events.ts';
import type { RunContext } from './run-context.ts';

type PhaseStarted = Extract<RunEvent, { readonly type: 'phase-started' }>;

/** Reports the phase of a table's sync. */
export const enterPhase = (
  { emit }: Pick<RunContext, 'emit'>,
  { settings }: { readonly settings: { readonly name: string } },
  phase: Phase,
  more: Pick<PhaseStarted, 'detail' | 'waitsFor' | 'chunks'> = {},
): Promise<void> => emit({ type: 'phase-started', table: settings.name, phase, ...more });
