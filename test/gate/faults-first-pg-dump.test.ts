import { testFaults } from '../faults/run-faults.ts';

testFaults('first load by pg_dump');
