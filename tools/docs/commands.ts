import type { Command, Option } from 'commander';
import { buildProgram } from '../../src/cli/program.ts';
import { EXAMPLES, type Runtime } from '../../src/cli/declaration.ts';

const unused = () => {
  throw new Error('only declarations are read');
};
const RUNTIME: Runtime = { context: unused, databaseContext: unused, version: '', env: {}, done: unused };

/** docs/commands.md, from the declarations of the commands. */
export function commands(): string {
  const program = buildProgram(RUNTIME);
  const groups = Map.groupBy(program.commands, (command) => command.helpGroup().replace(/:$/, ''));
  const chapters = [...groups].map(([group, members]) => `## ${group}\n\n${members.map(chapter).join('\n')}`);
  return `<!-- Generated from src/cli/ by 'npm run docs'; do not edit. -->
# Commands

Commands read the same settings as the service ([configuration.md](configuration.md)). In a checkout, call them as
\`npx mediakeep …\`; in a container, \`docker exec NAME mediakeep …\`. They write nothing outside of \`DATA_DIR\` and the stores, so
they also run in a container with a read-only file system.

Results go to standard output, messages to standard error. With \`--json\` the result is one line of JSON, and so is an error:
\`{"error":{"code":"usage","message":"…"}}\`.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed; \`verify\` and \`doctor\`: something is wrong |
| 2 | wrong usage, or settings that cannot work |
| 3 | done in part: the summary tells what failed |
| 4 | the database or a store is unavailable; try again |
| 130 | interrupted; run it again to continue |

${chapters.join('\n')}`;
}

function chapter(command: Command): string {
  const options = command.options.map(row);
  const details = [
    `### ${command.name()}`,
    sentence(command.description()),
    ...command.registeredArguments.map((argument) => `\`${argument.name()}\`: ${argument.description}.`),
    ['```sh', ...(EXAMPLES.get(command.name()) ?? []).map((example) => `mediakeep ${example}`), '```'].join('\n'),
    ...(options.length > 0 ? [['| option | default | what it does |', '|---|---|---|', ...options].join('\n')] : []),
  ];
  return `${details.join('\n\n')}\n`;
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

function row({ flags, defaultValue, mandatory, description }: Option): string {
  const value: unknown = defaultValue;
  const fallback = mandatory
    ? '**required**'
    : value === undefined
      ? '–'
      : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
  return `| \`${flags}\` | ${fallback} | ${description} |`;
}
