/** A real shell on a terminal of its own, with a person at its keyboard who presses TAB. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { PROJECT } from './project.ts';
import type { Shell } from './shells-here.ts';

export interface ShellSession extends AsyncDisposable {
  /** Types the keys and Enter; what increp was called with. */
  type(keys: string): Promise<readonly string[]>;
  /** What the terminal was sent since the last keys. */
  screen(): string;
}

interface SessionOptions {
  /** The home of the shell, and where it starts. */
  readonly directory: string;
  readonly env?: Readonly<Record<string, string>>;
}

const START: Readonly<Record<Shell, string>> = {
  bash: 'bash --noprofile --rcfile bashrc -i',
  zsh: 'zsh -i',
  fish: 'fish -i',
};

/** The program notes its arguments, but for completion, where it is the real one. */
const program = (calls: string) => `#!/bin/sh
if [ "$1" = __complete ] || [ "$1" = completion ]; then
  exec '${process.execPath}' '${join(PROJECT, 'bin', 'increp.js')}' "$@"
fi
exec '${process.execPath}' -e 'require("fs").appendFileSync("${calls}", JSON.stringify(process.argv.slice(1)) + "\\n")' -- "$@"
`;

const READY = 'ready to type';

export async function startShell(
  shell: Shell,
  { directory, env = {} }: SessionOptions,
): Promise<ShellSession> {
  const calls = join(directory, 'calls');
  const bin = join(directory, 'bin');
  await mkdir(bin, { recursive: true });
  await mkdir(join(directory, '.config', 'fish'), { recursive: true });
  // Without it fish would read all manual pages in the background, to complete other programs.
  await mkdir(join(directory, '.local', 'share', 'fish', 'generated_completions'), { recursive: true });
  await writeFile(calls, '');
  await writeFile(join(bin, 'increp'), program(calls));
  await chmod(join(bin, 'increp'), 0o755);
  await writeFile(join(directory, 'bashrc'), `PS1='${READY}'\nsource <(increp completion bash)\n`);
  await writeFile(
    join(directory, '.zshrc'),
    `PS1='${READY}'\nautoload -Uz compinit\ncompinit -D -u\nsource <(increp completion zsh)\n`,
  );
  await writeFile(
    join(directory, '.config', 'fish', 'config.fish'),
    `function fish_prompt\n  echo -n '${READY}'\nend\nincrep completion fish | source\n`,
  );
  const child = execa('script', ['-qec', START[shell], '/dev/null'], {
    cwd: directory,
    env: {
      PATH: `${bin}:${process.env['PATH']}`,
      HOME: directory,
      TERM: 'xterm',
      LANG: 'C.UTF-8',
      ...env,
    },
    extendEnv: false,
    reject: false,
    buffer: false,
  });
  let screen = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (screen += text));
  const until = async (isDone: () => boolean | Promise<boolean>, what: string) => {
    const deadline = Date.now() + 20_000;
    while (!(await isDone())) {
      if (Date.now() > deadline) throw new Error(`${shell}: ${what}; the terminal says:\n${screen}`);
      await sleep(20);
    }
  };
  await until(() => screen.includes(READY), 'no prompt came');
  const callsSoFar = async () => (await readFile(calls, 'utf8')).split('\n').filter(Boolean);
  return {
    screen: () => screen,
    type: async (keys) => {
      const before = (await callsSoFar()).length;
      screen = '';
      child.stdin.write(`${keys}\r`);
      await until(async () => (await callsSoFar()).length > before, `increp was not called by ${keys}`);
      const prompts = () => screen.split(READY).length;
      await until(() => prompts() > 1, 'no prompt came back');
      return JSON.parse((await callsSoFar())[before] ?? '[]') as string[];
    },
    [Symbol.asyncDispose]: async () => {
      // The shell ends with its terminal.
      child.kill('SIGKILL');
      await child;
    },
  };
}
