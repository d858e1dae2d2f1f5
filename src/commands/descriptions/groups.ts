/** The first commands to try, and the texts around the list of commands. */
import { COMMAND_GROUPS } from '../../command-groups.ts';

export const FIRST_STEPS: readonly string[] = ['init', 'check', 'plan', 'sync', 'status'];

/** The exit codes, and where they are documented. */
export const MORE = `Exit codes: 0 done, 1 failed or refused, 2 differences, 3 some tables failed or refused, 64 usage, 69 unreachable, 70 bug, 74 output not written, 75 locked, 77 login or privilege denied, 78 configuration. 129, 130 and 143: stopped by SIGHUP, SIGINT or SIGTERM.

More: "increp help COMMAND", and the documentation: "increp help docs" lists the pages, and "increp help configuration" prints one.`;

export const groupOf = (name: string): string | undefined =>
  Object.entries(COMMAND_GROUPS).find(([, names]) => names.includes(name))?.[0];
