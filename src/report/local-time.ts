/** The time of this machine, to compare with a crontab or a log: `2026-01-31 12:00:00`. */
export const localTime = (date: Date): string => `${localDay(date)} ${localClock(date)}`;

const two = (number: number): string => String(number).padStart(2, '0');

export const localDay = (date: Date): string =>
  [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');

export const localClock = (date: Date): string =>
  [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
