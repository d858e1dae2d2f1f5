/** The one reader of process.env; everything else is handed what it needs. */

export type Environment = Readonly<Record<string, string | undefined>>;

export const processEnvironment = (): Environment => process.env;

/** Where programs are looked for; children get this and nothing else of our environment. */
export const searchPath = (): string => process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
