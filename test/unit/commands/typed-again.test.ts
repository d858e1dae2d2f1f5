import { expect, test } from 'vitest';
import { addingCommand, dialogueCommand, sameCommand } from '../../../src/commands/init/typed-again.ts';
import type { InitOptions } from '../../../src/commands/init/setup.ts';

const NO_FLAGS = {
  tables: [],
  allTables: false,
  replicationKey: [],
  uniqueCols: [],
  fullRefresh: [],
  yes: false,
  force: false,
  json: false,
} as unknown as InitOptions;

test('a command that init names has the flags that were typed, without passwords', () => {
  expect(sameCommand(NO_FLAGS)).toBe('increp init');
  const options: InitOptions = {
    ...NO_FLAGS,
    sourceUrl: 'postgresql://ann:secret@db.example.com/shop?sslmode=require&sslpassword=secret',
    destUrl: 'host=db password=secret',
    sourceSchema: 'Odd Name',
    tables: ['a,b', 'c'],
    replicationKey: ['c=id'],
    force: true,
  };
  expect(addingCommand(options)).toBe("increp init --source-schema 'Odd Name'");
  expect(dialogueCommand(options)).toBe(
    "increp init --source-url 'postgresql://ann@db.example.com/shop?sslmode=require' --source-schema 'Odd Name'",
  );
  expect(sameCommand(options)).toBe(
    `${dialogueCommand(options)} --tables 'a\\,b' --tables c --replication-key c=id --force`,
  );
});
