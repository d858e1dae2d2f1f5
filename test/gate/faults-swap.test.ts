import { testFaults } from '../faults/run-faults.ts';

testFaults('swap');
