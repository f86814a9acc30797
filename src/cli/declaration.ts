import type { Command } from 'commander';
import type { CommandContext, DatabaseContext } from './runtime/command-context.ts';

/** What an action gets. Contexts are made on demand: not every command needs all settings. */
export interface Runtime {
  /** All settings. @throws ConfigError */
  context(defaultLevel?: string): Promise<CommandContext>;
  /** Only the settings of the database. @throws ConfigError */
  databaseContext(): Promise<DatabaseContext>;
  version: string;
  env: NodeJS.ProcessEnv;
  /** Sets the exit code. */
  done(code: number): void;
}

/** The page that describes all commands. */
export const DOCS = 'docs/commands.md';

/** The examples of each command, for the documentation. */
export const EXAMPLES = new Map<string, readonly string[]>();

/** An example and the documentation below a command's help. */
export function withExample(command: Command, ...examples: readonly string[]): Command {
  EXAMPLES.set(command.name(), examples);
  const lines = examples.map((example) => `  $ mediakeep ${example}`).join('\n');
  return command.addHelpText(
    'after',
    `\nExample${examples.length > 1 ? 's' : ''}:\n${lines}\n\nDocumentation: ${DOCS}#${command.name()}`,
  );
}
