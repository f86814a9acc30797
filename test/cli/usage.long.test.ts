import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildProgram } from '../../src/cli/program.ts';
import { COMMAND, type Outcome, runCommand } from '../support/run-command.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-usage-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const unused = () => {
  throw new Error('not called');
};
const program = buildProgram({ context: unused, databaseContext: unused, version: '', env: {}, done: unused });
const commands = program.commands.map((command) => command.name());

/** Wrong usage of each command, and of the program. */
const WRONG: [string, string[]][] = [
  ['an unknown command', ['stor']],
  ['no command but an option', ['--colour']],
  ...commands.map((name): [string, string[]] => [`${name} with an unknown option`, [name, '--colour', 'red']]),
  ...program.commands.flatMap((command): [string, string[]][] => [
    ...command.options
      .filter(({ mandatory }) => mandatory)
      .map(({ long }): [string, string[]] => [`${command.name()} without ${long}`, [command.name()]]),
    ...command.registeredArguments.map((argument): [string, string[]] => [
      `${command.name()} without <${argument.name()}>`,
      [command.name()],
    ]),
  ]),
  ['a concurrency that is no number', ['import', '/tmp', '--user', 'u', '--concurrency', 'many']],
  ['a folder that is not there', ['import', '/no/such/folder', '--user', 'u']],
  ['a file that is not there', ['import-records', '/no/such/file.jsonl']],
  ['an unknown scope', ['token', '--sub', 'u', '--scope', 'media:all']],
  ['a duration that is none', ['token', '--sub', 'u', '--ttl', 'soon']],
  ['an empty subject', ['token', '--sub', ' ']],
  ['a folder in place of a file', ['import-records', '/tmp']],
  ['help for an unknown command', ['help', 'stor']],
  ['an option in place of a value', ['import', '/tmp', '--user', '--dry-run']],
  ['an option in place of a repeated value', ['mirror', '--to', 'archive', '--tag', '--dry-run']],
  ['a setting that cannot work', ['fetch']],
];

test.each(WRONG)('%s is wrong usage: exit code 2, as text and as JSON', async (title, args) => {
  const settings = {
    DATA_DIR: path.join(folder, 'data'),
    ...(title === 'a setting that cannot work' && { PORT: 'eighty' }),
  };
  const [asText, asJson] = (await Promise.all([args, [...args, '--json']].map((all) => runCommand(all, settings)))) as [
    Outcome,
    Outcome,
  ];
  expect(asText).toMatchObject({ code: 2, stdout: '' });
  expect(asText.stderr.length).toBeGreaterThan(20);
  expect(asText.stderr).not.toMatch(/\n\s+at /);
  expect(asJson).toMatchObject({ code: 2, stdout: '' });
  const { error } = JSON.parse(asJson.stderr) as { error: { code: string; message: string } };
  expect(['usage', 'configuration']).toContain(error.code);
  expect(error.message.length).toBeGreaterThan(10);
  // It is found before anything is made.
  expect(await readdir(folder)).toEqual([]);
});

test('help is grouped, and each command has an example and the address of its documentation', async () => {
  const { code, stdout } = await runCommand(['--help'], {});
  expect(code).toBe(0);
  for (const group of ['Set up and operate:', 'Import:', 'Stores:']) expect(stdout).toContain(`\n${group}\n`);
  for (const name of commands) {
    const help = await runCommand([name, '--help'], {});
    expect(help.code).toBe(0);
    expect(await runCommand(['help', name], {})).toEqual(help);
    expect(help.stdout).toContain(`$ mediakeep ${name}`);
    expect(help.stdout).toContain(`docs/commands.md#${name}`);
  }
});

test.skipIf(!existsSync('/dev/full'))(
  'a result that cannot be written is a failure, and a reader that is gone is none',
  async () => {
    const script = `"$0" "$1" token --sub u --json`;
    const run = (rest: string) =>
      promisify(execFile)('bash', ['-c', `${script} ${rest}`, process.execPath, COMMAND], {
        env: { PATH: process.env['PATH'], JWT_SECRET: 's'.repeat(40) },
      });
    await expect(run('>/dev/full')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('"The result could not be written to standard output (ENOSPC)"'),
    });
    const { stdout } = await run('| true; echo "${PIPESTATUS[0]}"');
    expect(stdout.trim()).toBe('0');
  },
);

/** Prints the address of each module that is loaded. */
const TRACE = `data:text/javascript,import{registerHooks}from'node:module';registerHooks({load(u,c,n){process.stderr.write('loads '+u+'\\n');return n(u,c)}})`;

test('help and versions load only the declarations', async () => {
  for (const args of [['--help'], ['--version'], ['import', '--help']]) {
    const { code, stderr } = await runCommand(args, {}, { node: ['--import', TRACE] });
    expect(code).toBe(0);
    const loaded = [...stderr.matchAll(/^loads file:\/\/(.*)$/gm)].map(([, file = '']) => file);
    const outside = loaded.filter((file) => !file.includes('/src/cli/') && !file.includes('/node_modules/commander/'));
    expect(loaded.length).toBeGreaterThan(5);
    expect(outside).toEqual([]);
  }
});
