import { Option } from 'commander';
import { MAX_JOBS } from '../../config/jobs.ts';
import { DEFAULT_TIMING } from '../../timing.ts';
import { jobsArgument } from '../terminal/options.ts';
import { duration, flag, type CommandDescription } from './description.ts';

const LISTEN = '127.0.0.1:7420';

const pipelines = (): Option =>
  new Option('--pipelines <dir>', 'the directory that contains one directory for each pipeline').default(
    '.',
    'current directory',
  );

const stateDir = (): Option =>
  new Option(
    '--state-dir <dir>',
    'the directory for state files of pipelines that the API has created',
  ).default('', '.increp in --pipelines');

const jobs = (): Option =>
  new Option('-j, --jobs <number>', `sync this many tables at the same time, at most ${MAX_JOBS}`)
    .default(4, '4')
    .argParser(jobsArgument);

const drain = (): Option =>
  duration(
    '--drain <duration>',
    'after SIGTERM, let syncs finish for this long before they are rolled back',
  ).default(DEFAULT_TIMING.serve.drain, `${DEFAULT_TIMING.serve.drain}s`);

const endsWithStdin = (): Option =>
  new Option('--ends-with-stdin', 'stop when stdin closes').default(false).hideHelp();

export const serve = (): CommandDescription => ({
  name: 'serve',
  summary: 'run schedules of many pipelines, with workers',
  description:
    'Runs the schedules of every pipeline in a directory, and a worker that syncs their tables. Needs SERVE_DATABASE_URL, which names the control database. Other machines help with "increp work".',
  options: {
    Options: [
      pipelines(),
      new Option('--listen <address>', 'where the page, the API and /metrics answer').default(LISTEN, LISTEN),
      new Option('--tls-cert <file>', 'certificate of the service in PEM form, with its chain'),
      new Option('--tls-key <file>', 'private key of that certificate'),
      new Option('--public-url <url>', 'https:// address of a TLS proxy before the service'),
      flag('--print-sql', 'print the SQL that the control database lacks, and end'),
      endsWithStdin(),
    ],
    Worker: [
      new Option('--no-worker', 'start no worker process here; workers run on other machines'),
      jobs(),
      stateDir(),
      drain(),
    ],
  },
  examples: ['serve --pipelines /srv/pipelines', 'serve --print-sql'],
});

export const work = (): CommandDescription => ({
  name: 'work',
  summary: 'sync tables for "increp serve" on this machine',
  description:
    'Takes jobs of "increp serve" and syncs their tables. Needs SERVE_DATABASE_URL, and the directories of the pipelines or variables with their connections.',
  options: {
    Options: [pipelines(), jobs(), stateDir(), drain(), endsWithStdin()],
  },
  examples: ['work --pipelines /srv/pipelines', 'work --jobs 8 --drain 5m'],
});
