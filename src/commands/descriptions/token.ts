import { Argument, Option } from 'commander';
import { ROLES } from '../../serve/access/roles.ts';
import { collect } from '../terminal/options.ts';
import { json, span, type CommandDescription } from './description.ts';

export const token = (): CommandDescription => ({
  name: 'token',
  summary: 'create, list or revoke tokens of the API',
  description: `Tokens open the API and the page of "increp serve". Needs SERVE_DATABASE_URL. "create" prints the token once; the control database has only its digest. Roles, each with the rights of the roles before it:

  trigger   start runs by hooks
  read      see pipelines, tables, runs and logs
  operate   start, cancel and pause runs, and set schedules
  admin     reset tables, and manage pipelines, tokens and hooks`,
  argument: new Argument('<action>', 'what to do').choices(['create', 'list', 'revoke']),
  options: {
    Create: [
      new Option('--role <role>', 'what the token may do').choices(ROLES),
      new Option('--pipeline <name>', 'limit the token to this pipeline (repeatable)')
        .default([] as readonly string[], 'all')
        .argParser(collect),
      span('--expires <duration>', 'the token ends after this time').default(undefined, 'never'),
    ],
    'Create and revoke': [
      new Option('--name <name>', 'the name of the token, in lists and in the audit').default(
        undefined,
        'role and ID',
      ),
    ],
    Output: [json()],
  },
  examples: [
    'token create --role read --name grafana --expires 90d',
    'token create --role operate --pipeline shop',
    'token list',
    'token revoke --name grafana',
  ],
});
