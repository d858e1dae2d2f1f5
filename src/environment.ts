/** The variables of the environment, as the program was given them. Only `src/process.ts` reads the process's own. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where programs are looked for; children get this and nothing else of our environment. */
export const searchPathOf = (environment: Environment): string =>
  environment['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
