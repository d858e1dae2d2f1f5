/** The number of tables that a sync copies at the same time. Help and completion read it without the schema. */

/** Each job opens a connection to both sides. */
export const MAX_JOBS = 16;
export const JOBS = `a whole number from 1 to ${MAX_JOBS}`;
