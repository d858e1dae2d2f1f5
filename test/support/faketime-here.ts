import { existsSync } from 'node:fs';

const PLACES = ['x86_64-linux-gnu', 'aarch64-linux-gnu'].map(
  (machine) => `/usr/lib/${machine}/faketime/libfaketime.so.1`,
);

/** The library that gives a program another time. Empty if it is missing: apt-get install libfaketime. */
export const faketimeHere = (): string => PLACES.find((path) => existsSync(path)) ?? '';
