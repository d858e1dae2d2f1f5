/** A cursor without fractions of a second, which people rarely need. */
export const shortCursor = (cursor: string): string => cursor.replace(/(\d\d:\d\d:\d\d)\.\d+/, '$1');
