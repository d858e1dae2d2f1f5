/** The environment variables of the program. Only `src/process.ts` reads those of the process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** PATH for child processes. They get no other variable of the environment. */
export const searchPathOf = (environment: Environment): string =>
  environment['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
