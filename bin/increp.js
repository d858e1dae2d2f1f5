#!/usr/bin/env node
// Only what a very old Node can read, so that it can say what is wrong.
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
} else if (process.argv.length === 3 && /^(-V|--version)$/.test(process.argv[2])) {
  // What scripts ask before anything else costs little more than Node itself.
  const { version } = await import('../dist/bin-version.js');
  process.stdout.write(version() + '\n');
} else if (process.argv[2] === '__complete') {
  // A shell waits for this at every press of TAB.
  const { answer } = await import('../dist/bin-completion-answer.js');
  answer(process.argv.slice(3), process.env, (text) => process.stdout.write(text));
} else {
  keepCompiledCode();
  // zod would compile a function for each schema, which takes longer than the few checks of a run.
  globalThis['__zod_globalConfig'] = { jitless: true };
  const program = await import('../dist/bin-process.js');
  // After the modules are loaded, which leaves objects that live.
  const v8 = process.getBuiltinModule('node:v8');
  // Rows are short-lived objects. By default, V8 lets the young generation grow to 100 MB for them.
  v8.setFlagsFromString('--semi-space-growth-factor=1');
  // The live heap is small and does not grow. By default, V8 lets it grow to four times its size, which saves no time.
  v8.setFlagsFromString('--heap-growing-percent=150');
  await program.runProcess(process.argv.slice(2));
}

// Node keeps the compiled code in the package's own directory: only users who can change the program can write there. If
// root runs the package of somebody else, its files would be in the way of the owner's next build.
function keepCompiledCode() {
  // An import would also load the modules behind all their exports.
  const { enableCompileCache } = process.getBuiltinModule('node:module');
  const { statSync } = process.getBuiltinModule('node:fs');
  const { fileURLToPath } = process.getBuiltinModule('node:url');
  const dist = new URL('../dist', import.meta.url);
  const isRootElsewhere = process.geteuid?.() === 0 && statSync(dist).uid !== 0;
  if (!isRootElsewhere && enableCompileCache)
    enableCompileCache(fileURLToPath(new URL('../dist/compiled', import.meta.url)));
}
