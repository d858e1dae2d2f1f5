#!/usr/bin/env node
// Only what a very old Node can read, so that it can say what is wrong.
import process from 'node:process';

const needed = [22, 19];
const found = process.versions.node.split('.').map(Number);

if (found[0] < needed[0] || (found[0] === needed[0] && found[1] < needed[1])) {
  process.stderr.write(
    'increp needs Node ' +
      needed.join('.') +
      ' or newer; this is ' +
      process.versions.node +
      '.\n' +
      '  next: install a current Node, or, in a clone, run it as "npx increp", which brings its own.\n',
  );
  process.exitCode = 78;
} else {
  const program = await import('../dist/cli.js');
  await program.main(process.argv.slice(2));
}
