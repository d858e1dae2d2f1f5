/** The staging table of a load in chunks is a plain copy of the source, whatever becomes of its rows in the table. */
import { rowKey } from '../../../schema/row-identity.ts';
import type { TableFacts } from '../../facts/facts.ts';

/** Rows that are marked as deleted, and columns of ours, come in later. */
export const asPlainCopy = (facts: TableFacts): TableFacts => ({
  ...facts,
  settings: {
    ...facts.settings,
    mode: 'incremental-deduped',
    mergeKey: rowKey(facts.settings),
    deletes: 'hard',
    metadataColumns: [],
    onConflict: 'source_wins',
  },
});
