/** What every command says about itself, whichever commands there are. */
import { describe, expect, test } from 'vitest';
import { commandOf } from '../../../src/commands/descriptions/description.ts';
import { ENVIRONMENT_OF, globalOptions } from '../../../src/commands/descriptions/global.ts';
import { groupOf } from '../../../src/commands/descriptions/groups.ts';
import { commands } from '../../../src/commands/program/registry.ts';

const all = commands().map(({ description }) => description);
const names = all.map(({ name }) => name);

test('no two commands have the same name', () => {
  expect(new Set(names).size).toBe(names.length);
});

test('a variable stands only beside an option that there is', () => {
  const ofCommands = all.flatMap(({ options }) => Object.values(options).flat());
  const flags = [...globalOptions(), ...ofCommands].map(({ long }) => long);
  expect(flags).toEqual(expect.arrayContaining(Object.keys(ENVIRONMENT_OF)));
});

describe.each(all)('$name', (description) => {
  const options = Object.values(description.options).flat();

  test('has its place in the list of commands', () => {
    expect(groupOf(description.name)).toBeDefined();
  });

  test('has a summary of one line, without a full stop', () => {
    expect(description.summary).toMatch(/^[a-z].*[^.]$/);
    expect(description.summary.length).toBeLessThan(50);
  });

  test('has options that say what they do, in groups', () => {
    for (const { flags, description: says } of options) {
      expect(says, flags).toMatch(/^[^A-Z].*[^.]$/);
      // The notes are added to all of them in the same way.
      expect(says, flags).not.toMatch(/\(?(default|env):/);
    }
  });

  test('has options with a value that name their default, or need none', () => {
    const unnamed = options.filter(
      ({ required, defaultValue, defaultValueDescription }) =>
        required && defaultValue !== undefined && defaultValueDescription === undefined,
    );
    expect(unnamed.map(({ flags }) => flags)).toEqual([]);
  });

  test('has examples that it understands', () => {
    expect(description.examples.length).toBeGreaterThan(0);
    for (const example of description.examples) {
      const [name, ...args] = example.split(' ');
      expect(name).toBe(description.name);
      const command = commandOf(description)
        .exitOverride()
        .configureOutput({ outputError: () => undefined });
      for (const option of globalOptions()) command.addOption(option);
      expect(() => command.parse(args, { from: 'user' }), example).not.toThrow();
    }
  });
});
