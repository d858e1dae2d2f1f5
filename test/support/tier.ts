/** How much of what can be varied is tried: a part in `npm test` and in the gate, all of it in `npm run test:all`. */
import process from 'node:process';

export const isWhole = process.env['INCREP_TEST_TIER'] === 'all';
