/**
 * Loads the bundles of `dist/` with the code that V8 compiled for them in an earlier run. V8 compiles most functions when
 * they are first called. Node's compile cache holds only what is compiled before that, so every run would compile the others
 * again.
 */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire, enableCompileCache, isBuiltin } from 'node:module';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';

/** Milliseconds. A later run compiles functions that the first one did not need. To write them costs as much as they save. */
const RENEWED_AFTER = 3_600_000;

/** The length of SHA-256 in bytes. It is a multiple of 8, because V8 copies data that is not aligned. */
const DIGEST = 32;

/**
 * Modules and settings are objects that live. V8 begins with a young generation of 1 MB, and each collection copies what lives
 * in it. So it grows to 5 MB at once.
 */
const HEAP_AT_START = ['--semi-space-growth-factor=5', '--heap-growing-percent=0'];

/**
 * Rows are short-lived objects, and by default V8 lets the young generation grow to 100 MB for them. The live heap does not
 * grow, and by default V8 lets it grow to four times its size, which saves no time.
 */
const HEAP_IN_RUN = ['--semi-space-growth-factor=1', '--heap-growing-percent=100'];

const setFlags = (flags: readonly string[]): void => flags.forEach((flag) => setFlagsFromString(flag));

const PROGRAM = 'bin-process';

interface Bundle {
  readonly name: string;
  readonly source: Buffer;
  readonly script: Script;
  readonly hasSmallHeap: boolean;
}

export class CompiledBundles {
  readonly #dist: string;
  /** The bundle of the command, because each command calls other functions of the shared bundle. Help has no such bundle. */
  readonly #command: string;
  /** Undefined if increp must not write to `dist/`. */
  readonly #compiled: string | undefined;
  readonly #require: NodeJS.Require;
  readonly #exports = new Map<string, object>();
  readonly #bundles: Bundle[] = [];
  #hasSmallHeap = false;

  constructor(dist: string, words: readonly string[]) {
    this.#dist = dist;
    const isBundle = (word: string) => /^[a-z-]+$/.test(word) && existsSync(join(dist, `${word}.cjs`));
    const isHelp = words.some((word) => /^(-h|--help|help)$/.test(word));
    this.#command = (isHelp ? undefined : words.find(isBundle)) ?? PROGRAM;
    const version = `${process.version}-${process.arch}`;
    this.#compiled = isOfAnotherUser(dist) ? undefined : join(dist, 'compiled', version, this.#command);
    this.#require = createRequire(join(dist, 'bundle.cjs'));
    setFlags(HEAP_AT_START);
    // For the packages that are not bundled.
    if (this.#compiled !== undefined) enableCompileCache(join(dist, 'compiled'));
  }

  /** The exports of a bundle. */
  load(name: string): unknown {
    const known = this.#exports.get(name);
    if (known) return known;
    const file = join(this.#dist, `${name}.cjs`);
    const source = readFileSync(file);
    const script = new Script(wrapped(source), {
      filename: pathToFileURL(file).href,
      // The line of the wrapper.
      lineOffset: -1,
      cachedData: this.#read(name, source),
    });
    this.#bundles.push({ name, source, script, hasSmallHeap: this.#hasSmallHeap });
    const module = { exports: {} };
    this.#exports.set(name, module.exports);
    const run = script.runInThisContext() as (...given: readonly unknown[]) => void;
    run(module.exports, (id: string) => this.#resolve(id), module, file, this.#dist);
    return module.exports;
  }

  /** After the modules are loaded, which leaves objects that live. */
  limitHeap(): void {
    setFlags(HEAP_IN_RUN);
    this.#hasSmallHeap = true;
  }

  /** At the end, because V8 has then compiled what such a run needs. A directory that cannot be written is no problem. */
  keep(): void {
    // A usage error does not load the command.
    if (this.#compiled === undefined || !this.#exports.has(this.#command)) return;
    try {
      mkdirSync(this.#compiled, { recursive: true });
      // V8 uses compiled code only with the flags that were set when it was saved.
      for (const bundle of this.#bundles) if (bundle.hasSmallHeap) this.#write(bundle);
      setFlags(HEAP_AT_START);
      for (const bundle of this.#bundles) if (!bundle.hasSmallHeap) this.#write(bundle);
    } catch {
      // The next run compiles everything again.
    }
  }

  /** A bundle, a module of Node or a package. The modules of Node come without what `require` adds to them. */
  #resolve(id: string): unknown {
    if (id.startsWith('./')) return this.load(id.slice(2).replace(/\.cjs$/, ''));
    return isBuiltin(id) ? process.getBuiltinModule(id) : this.#require(id);
  }

  #read(name: string, source: Buffer): Buffer | undefined {
    if (this.#compiled === undefined) return undefined;
    try {
      const kept = readFileSync(join(this.#compiled, name));
      const data = kept.subarray(DIGEST);
      return digestOf(source, data).equals(kept.subarray(0, DIGEST)) ? data : undefined;
    } catch {
      return undefined;
    }
  }

  #write({ name, source, script }: Bundle): void {
    if (this.#compiled === undefined) return;
    const file = join(this.#compiled, name);
    const writtenAt = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (Math.abs(Date.now() - writtenAt) < RENEWED_AFTER) return;
    const data = script.createCachedData();
    const temporary = `${file}.${randomUUID()}`;
    try {
      // Other users may read it, as they may read the bundle.
      writeFileSync(temporary, Buffer.concat([digestOf(source, data), data]), { mode: 0o644, flag: 'wx' });
      renameSync(temporary, file);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  }
}

/** The bundles are ASCII, which V8 keeps as it is. */
const wrapped = (source: Buffer): string =>
  `(function (exports, require, module, __filename, __dirname) {\n${source.toString('latin1')}\n})`;

/** V8 does not compare the text of the source, and a damaged file would crash it. */
const digestOf = (source: Buffer, data: Buffer): Buffer =>
  createHash('sha256').update(source).update(data).digest();

/** If root runs the package of another user, its files would be in the way of the owner's next build. */
const isOfAnotherUser = (dist: string): boolean => process.geteuid?.() === 0 && statSync(dist).uid !== 0;
