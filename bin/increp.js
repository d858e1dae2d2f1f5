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
  await keepCompiledCode();
  const v8 = await import('node:v8');
  // Rows are short-lived objects. By default, V8 lets the young generation grow to 100 MB for them.
  v8.setFlagsFromString('--semi-space-growth-factor=1');
  // The live heap is small and does not grow. By default, V8 lets it grow to four times its size, which saves no time.
  v8.setFlagsFromString('--heap-growing-percent=150');
  const program = await import('../dist/bin-process.js');
  await program.runProcess(process.argv.slice(2));
}

// Node keeps the compiled code in the package's own directory: only users who can change the program can write there. If
// root runs the package of somebody else, its files would be in the way of the owner's next build.
async function keepCompiledCode() {
  const { enableCompileCache } = await import('node:module');
  const { statSync } = await import('node:fs');
  const { fileURLToPath } = await import('node:url');
  const dist = new URL('../dist', import.meta.url);
  const isRootElsewhere = process.geteuid?.() === 0 && statSync(dist).uid !== 0;
  if (!isRootElsewhere && enableCompileCache)
    enableCompileCache(fileURLToPath(new URL('../dist/compiled', import.meta.url)));
}
