/**
 * `npm run build`: src/ to dist/. Each command is one bundle, and the modules that several commands share are another.
 * So a command reads two or three files to start, not four hundred.
 */
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { join, resolve } from 'node:path';
import { rolldown, type OutputChunk, type Plugin } from 'rolldown';

const ROOT = resolve(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');

/** The modules that bin/increp.js imports, so that an answer can cost little more than Node itself: one file each. */
const SMALL = {
  version: 'src/version.ts',
  'completion-answer': 'src/commands/program/completion-answer.ts',
  'compiled-bundles': 'src/compiled-bundles.ts',
};

const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
  readonly dependencies: Readonly<Record<string, string>>;
};

/** `dependencies` are installed with the package: a command imports them when it needs them. The others are bundled. */
const isInstalled = (id: string): boolean =>
  Object.keys(manifest.dependencies).some((name) => id === name || id.startsWith(`${name}/`));

/** The answer to TAB needs the descriptions of the commands only, and never loads one. */
const WITHOUT_COMMANDS: Plugin = { name: 'without-commands', resolveDynamicImport: () => false };

/** Packages that extend all of zod, so that no part of it can be left out. Only the API of `serve` uses them. */
const EXTENDS_ZOD = /\/node_modules\/(?:@hono\/zod-|@asteasolutions\/zod-to-openapi\/)|\?own-zod$/;

/** They get a copy of zod. Otherwise the shared bundle would have all of it, and every command would start later. */
const COPY_OF_ZOD: Plugin = {
  name: 'copy-of-zod',
  async resolveId(source, importer, options) {
    const isInside = importer?.endsWith('?own-zod') === true;
    if (importer === undefined || !EXTENDS_ZOD.test(importer) || !(isInside || /^zod(?:\/|$)/.test(source)))
      return null;
    const found = await this.resolve(source, importer.replace(/\?own-zod$/, ''), {
      ...options,
      skipSelf: true,
    });
    return found && !found.external ? { ...found, id: `${found.id}?own-zod` } : found;
  },
  load: (id) => (id.endsWith('?own-zod') ? readFile(id.replace(/\?own-zod$/, ''), 'utf8') : null),
};

const EXTENSIONS = { esm: 'js', cjs: 'cjs' } as const;

interface Wanted {
  readonly name: string;
  readonly file: string;
  /** `cjs` is for src/compiled-bundles.ts: Node has no way to keep the compiled code of ECMAScript modules after they ran. */
  readonly format: 'esm' | 'cjs';
  readonly plugins?: readonly Plugin[];
}

async function bundle({ name, file, format, plugins = [] }: Wanted): Promise<OutputChunk[]> {
  await using build = await rolldown({
    cwd: ROOT,
    input: { [`bin-${name}`]: file },
    plugins: [COPY_OF_ZOD, ...plugins],
    platform: 'node',
    // The oldest Node of "engines" does not know `using`.
    transform: { target: 'node22.19' },
    // help.ts is small, and usage errors need it at once.
    checks: { ineffectiveDynamicImport: false },
    // pg requires pg-native only if somebody installed it.
    external: (id) => isInstalled(id) || id === 'pg-native',
    treeshake: { moduleSideEffects: (id) => !/\/node_modules\/zod\//.test(id) },
  });
  const { output } = await build.write({
    dir: DIST,
    format,
    // A script of node:vm cannot import. Node can require every package of ours.
    dynamicImportInCjs: false,
    comments: false,
    sourcemap: true,
    sourcemapExcludeSources: true,
    entryFileNames: `[name].${EXTENSIONS[format]}`,
    chunkFileNames: `[name].${EXTENSIONS[format]}`,
    codeSplitting: { groups: [{ name: 'shared', test: /./, minShareCount: 3 }] },
  });
  return output.filter((each) => each.type === 'chunk');
}

await rm(DIST, { recursive: true, force: true });
const chunks = await bundle({ name: 'process', file: 'src/process.ts', format: 'cjs' });
for (const [name, file] of Object.entries(SMALL))
  chunks.push(...(await bundle({ name, file, format: 'esm', plugins: [WITHOUT_COMMANDS] })));
await writeFile(join(DIST, 'LICENSES.txt'), await licenses(chunks));
// The files of the page, which the service reads beside its code.
await cp(join(ROOT, 'src/serve/page/assets'), join(DIST, 'assets'), { recursive: true });

/**
 * An import of a module of Node loads what is behind each of its exports: `node:util` a module for threads, `node:process` one
 * for lines of terminals. That is a tenth of a run without changes. The text keeps its lines, as the source maps need them.
 */
function withoutImportsOfNode(code: string): string {
  const direct = (id: string) => `globalThis.process.getBuiltinModule(${JSON.stringify(id)})`;
  return code
    .replaceAll(
      /^import (?:([\w$]+))?(?:, )?(?:\{([^}]*)\})? from "(node:[^"]+)";$/gm,
      (_line, whole: string | undefined, names: string | undefined, id: string) => {
        const targets = [whole, names && `{${names.replaceAll(' as ', ': ')}}`].filter(Boolean);
        return targets.map((target) => `const ${target} = ${direct(id)};`).join(' ');
      },
    )
    .replaceAll(/__require\("([^"]+)"\)/g, (call, id: string) => (isBuiltin(id) ? direct(id) : call));
}

/** Only a failed check of pg-copy-streams needs this module, which takes longer to load than the package. */
const withLateAssert = (code: string): string =>
  code.replaceAll(
    'const assert = require("assert");',
    'const assert = (...given) => globalThis.process.getBuiltinModule("assert")(...given);',
  );

/** V8 keeps text of ASCII in half the bytes. All other characters are in string literals and patterns. */
const inAscii = (code: string): string =>
  code.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

for (const { fileName } of chunks) {
  const file = join(DIST, fileName);
  await writeFile(file, inAscii(withLateAssert(withoutImportsOfNode(await readFile(file, 'utf8')))));
}

/** The licenses of the bundled packages, which their authors want to be kept with the code. */
async function licenses(bundled: readonly OutputChunk[]): Promise<string> {
  const directories = bundled
    .flatMap(({ moduleIds }) => moduleIds)
    .map((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0])
    .filter((directory) => directory !== undefined);
  const texts = [...new Set(directories)].toSorted().map(async (directory) => {
    const described = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8')) as Package;
    return `${described.name} ${described.version}\n\n${await licenseIn(directory, described)}`;
  });
  return (await Promise.all(texts)).join(`\n${'-'.repeat(72)}\n\n`);
}

interface Package {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

/** The text of the license, or its name where the package has no text. */
async function licenseIn(directory: string, { license }: Package): Promise<string> {
  for (const name of ['LICENSE', 'LICENSE.md', 'license']) {
    const text = await readFile(join(directory, name), 'utf8').catch(() => undefined);
    if (text !== undefined) return text.trim() + '\n';
  }
  return `License: ${license}\n`;
}
