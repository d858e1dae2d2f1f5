/** The phases of a sync in words. */
import type { Phase } from '../events.ts';

export const PHASE_WORDS = {
  lock: 'taking the lock',
  fence: 'checking for open transactions',
  snapshot: 'opening a snapshot',
  copy: 'copying',
  index: 'building indexes',
  merge: 'merging',
  deletes: 'comparing keys for deleted rows',
  swap: 'putting the new table in place',
  commit: 'committing',
  'save-state': 'saving the cursor',
  compare: 'comparing both sides',
} as const satisfies Record<Phase, string>;

/** A record of another version may name another phase. */
export const phaseText = (phase: string): string =>
  Object.entries(PHASE_WORDS).find(([name]) => name === phase)?.[1] ?? phase;
