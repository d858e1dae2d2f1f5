/** The column `_deleted_at` of increp in the destination table. */
import { DELETED_AT } from '../../schema/metadata-columns.ts';
import type { Relation } from '../../schema/relations.ts';
import type { CopyFacts } from './facts.ts';
import { formerWriting } from './saved-state.ts';

type Marked = Pick<CopyFacts, 'settings' | 'saved' | 'destination' | 'source'>;

const hasMarkColumn = (relation: Relation | undefined): boolean =>
  relation?.columns.some(({ name }) => name === DELETED_AT) === true;

/** Whether the table has the column from earlier settings. A source or a user can have a column of that name, too. */
export const holdsFormerMarks = ({ settings, saved, destination, source }: Marked): boolean =>
  settings.deletes !== 'soft' &&
  formerWriting(saved).hasMarks &&
  hasMarkColumn(destination) &&
  !hasMarkColumn(source);
