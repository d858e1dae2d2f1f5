/** When the service syncs tables. Pure. */

export type SyncSchedule =
  | { readonly kind: 'every'; readonly seconds: number }
  | {
      readonly kind: 'cron';
      /** Five fields, as in crontab(5). */
      readonly expression: string;
      /** The name of an IANA time zone. */
      readonly timeZone: string;
    };

/** The shortest interval. A shorter one would be a run that never ends. */
export const SHORTEST_INTERVAL = 1;

/** Five fields. The library of the service checks their values. */
export const CRON_PATTERN = /^\s*[\w*,/#?-]+(?:\s+[\w*,/#?-]+){4}\s*$/;

export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
