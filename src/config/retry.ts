/** `RETRY_ATTEMPTS` and `RETRY_DELAY`: how a run repeats work after a temporary error. */
import { DURATION_FORMS, parseDuration } from '../duration.ts';
import { isSet, refuse, textOf, type SettingsReading } from './environment/reading.ts';
import { show } from './problems.ts';
import type { RetrySettings } from './settings.ts';

const MOST_ATTEMPTS = 100;
const LONGEST_DELAY = 3600;

/** The delay is undefined if it is the default, which tests shorten. */
export function readRetry(reading: SettingsReading): RetrySettings {
  const text = textOf(reading, 'RETRY_ATTEMPTS') ?? '';
  const attempts = /^[1-9]\d{0,2}$/.test(text) ? Number(text) : Infinity;
  if (attempts > MOST_ATTEMPTS)
    refuse(reading, 'RETRY_ATTEMPTS', {
      what: `${show(text)} is not a whole number from 1 to ${MOST_ATTEMPTS}`,
    });
  if (!isSet(reading, 'RETRY_DELAY')) return { attempts, delaySeconds: undefined };
  const delay = textOf(reading, 'RETRY_DELAY') ?? '';
  const delaySeconds = parseDuration(delay);
  if (delaySeconds === undefined || delaySeconds > LONGEST_DELAY)
    refuse(reading, 'RETRY_DELAY', {
      what: `${show(delay)} is not a duration up to 1h`,
      allowed: DURATION_FORMS,
    });
  return { attempts, delaySeconds };
}
