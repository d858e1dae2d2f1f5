import { flag, json, type Description } from './description.ts';

export const status = (): Description => ({
  name: 'status',
  summary: 'say how fresh the copies are',
  description: 'Says of each table how fresh its copy is and what went wrong last. Writes nothing anywhere.',
  tables: 'only these tables',
  options: { Output: [flag('--exit-code', 'exit 2 unless every table is ok'), json()] },
  examples: ['status', 'status --exit-code', 'status --json'],
});
