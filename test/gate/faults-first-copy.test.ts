import { testFaults } from '../faults/run-faults.ts';

testFaults('first load by copy');
