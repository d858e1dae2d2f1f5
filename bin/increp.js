#!/usr/bin/env node
// Only what a very old Node can read, so that it can say what is wrong.
const needed = [22, 19];
const found = process.versions.node.split('.').map(Number);

if (found[0] < needed[0] || (found[0] === needed[0] && found[1] < needed[1])) {
  const { existsSync } = await import('fs');
  const { fileURLToPath } = await import('url');
  const word = (path) => (/^[\w./:@-]+$/.test(path) ? path : "'" + path.replace(/'/g, "'\\''") + "'");
  const ownNode = ['../node_modules/.bin/node', '../node_modules/node/bin/node']
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path));
  process.stderr.write(
    'increp needs Node ' +
      needed.join('.') +
      ' or newer; this is ' +
      process.versions.node +
      '.\n' +
      (ownNode === undefined
        ? '  next: install a current Node, or, in a clone, run "npm ci", which installs one there.\n'
        : '  next: use the Node of this installation: ' +
          word(ownNode) +
          ' ' +
          word(fileURLToPath(import.meta.url)) +
          '\n'),
  );
  process.exitCode = 78;
} else if (process.argv.length === 3 && /^(-V|--version)$/.test(process.argv[2])) {
  // What scripts ask before anything else costs little more than Node itself.
  const { version } = await import('../dist/bin-version.js');
  process.stdout.write(version() + '\n');
} else if (process.argv[2] === '__complete') {
  // A shell waits for this at every press of TAB.
  const { answer } = await import('../dist/bin-completion-answer.js');
  answer(process.argv.slice(3), process.env, (text) => process.stdout.write(text));
} else {
  // zod would compile a function for each schema, which takes longer than the few checks of a run.
  globalThis['__zod_globalConfig'] = { jitless: true };
  const { CompiledBundles } = await import('../dist/bin-compiled-bundles.js');
  // An import of node:url would also load the modules behind all its exports.
  const { fileURLToPath } = process.getBuiltinModule('node:url');
  const args = process.argv.slice(2);
  const bundles = new CompiledBundles(fileURLToPath(new URL('../dist', import.meta.url)), args);
  const program = bundles.load('bin-process');
  bundles.limitHeap();
  await program.runProcess(args);
  bundles.keep();
  // Nothing is left to do. Node would now free each object, which takes longer than to end the process.
  process.once('beforeExit', () => process.exit());
}
