/** Prints how to use and remove what --keep leaves running. */
import { shellWord } from '../shell-word.ts';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Stage } from './stage.ts';
import type { Story } from './story.ts';

const removerOf = ({ directory }: Stage) => join(directory, 'remove.sh');

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** Stops each server by the process number in its pid file. Then it removes the files. */
export async function writeRemover(stage: Stage): Promise<void> {
  const { servers, directory } = stage;
  const pidFiles = servers.map(({ dataDirectory }) => quoted(join(dataDirectory, 'postmaster.pid')));
  const directories = [...servers.map((server) => server.directory), directory];
  const script = `# Stops the two servers of "increp demo --keep" and removes all their files.
for file in ${pidFiles.join(' ')}; do
  [ -f "$file" ] || continue
  pid=$(head -n 1 "$file")
  kill -INT "$pid"
  tries=100
  while kill -0 "$pid" 2>/dev/null && [ $tries -gt 0 ]; do sleep 0.1; tries=$((tries - 1)); done
done
rm -rf ${directories.map(quoted).join(' ')}
`;
  await writeFile(removerOf(stage), script);
}

export function printAccess(story: Story, stage: Stage): void {
  const { servers, source, destination, directory } = stage;
  story.heading('Kept: both servers and the pipeline');
  story.print('To query both sides, or change the source (the tables are in the schema shop):');
  story.typed(`psql ${shellWord(servers[0].url(source.database))}`);
  story.typed(`psql ${shellWord(servers[1].url(destination.database))}`);
  story.print('To see how fresh the destination tables are, and to sync again:');
  for (const command of ['status', 'sync']) story.typedIncrep(command, ` -C ${shellWord(directory)}`);
  story.print('To stop the servers and remove everything:');
  story.typed(`sh ${shellWord(removerOf(stage))}`);
}
