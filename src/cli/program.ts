import { Command } from 'commander';
import { DOCS, type Runtime } from './declaration.ts';
import { declareCopies } from './declare-copies.ts';
import { declareImports } from './declare-imports.ts';
import { declareSetup } from './declare-setup.ts';

/**
 * All commands, as commander's program. Only declarations: each action loads the modules it needs, so that `--help` and usage errors
 * cost nothing.
 */
export function buildProgram(runtime: Runtime): Command {
  const program = new Command('mediakeep')
    .description(
      'Stores, indexes and serves AI-generated images, audio, video and 3D models.\nSettings come from the environment: docs/configuration.md',
    )
    .version(runtime.version)
    .exitOverride()
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      `
Example:
  $ mediakeep doctor

Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 partly failed, 4 database or store unavailable, 130 interrupted
Results go to standard output; messages go to standard error, as JSON with --json.
Documentation: ${DOCS}`,
    );
  declareSetup(program, runtime);
  declareImports(program, runtime);
  declareCopies(program, runtime);
  program.hook('preAction', (_program, command) => refuseSwallowed(command));
  program.commandsGroup('Help:').helpCommand('help [command]', 'show the help of a command');
  return program;
}

/** Arguments as the program takes them: `help NAME` is `NAME --help`, and of an unknown name it says that, and what is near. */
export function asTaken(program: Command, args: readonly string[]): string[] {
  const [first, name, ...rest] = args;
  if (first === undefined) return ['start'];
  if (first !== 'help' || name === undefined || name.startsWith('-')) return [...args];
  if (name === 'help') return ['--help', ...rest];
  return program.commands.some((command) => command.name() === name) ? [name, '--help', ...rest] : [name];
}

/**
 * `--user --dry-run`, as scripts write it when a variable is empty, would give the user's id the name of the option, and not be a
 * dry run.
 */
function refuseSwallowed(command: Command): void {
  const names = command.options.flatMap(({ long, short }) => [long, short]);
  for (const option of command.options) {
    const values = new Set<unknown>([command.getOptionValue(option.attributeName())].flat());
    const swallowed = names.find((name) => name && values.has(name));
    if (swallowed) {
      const message = `error: option '${option.flags}' argument missing before '${swallowed}'`;
      command.error(message, { exitCode: 1, code: 'commander.optionMissingArgument' });
    }
  }
}
