/** The commands by purpose, in the order of the help. The only list of their names. */
export const COMMAND_GROUPS: Readonly<Record<string, readonly string[]>> = {
  'Set up': ['init', 'check', 'config', 'deletes-sql'],
  Run: ['sync', 'plan'],
  Inspect: ['status', 'history', 'verify'],
  Repair: ['reset'],
  Move: ['sequences'],
  Serve: ['serve', 'work', 'token'],
  'Try it': ['demo', 'help', 'completion'],
};
