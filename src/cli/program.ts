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
  program.commandsGroup('Help:').helpCommand('help [command]', 'show the help of a command');
  return program;
}
