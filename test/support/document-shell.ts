import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { type DataFolder, createDataFolder } from './data-folder.ts';
import { startFakeComfy } from './fake-comfyui.ts';
import { hasProgram } from './has-program.ts';
import { startOrigin } from './origin.ts';
import { CHECKOUT, type ServiceProcess, startService } from './service-process.ts';

/** Whether this machine has what the commands of documents need. */
export const canRunCommands = hasProgram('bash', '--version') && hasProgram('curl', '--version');

export interface DocumentShell {
  service: ServiceProcess;
  data: DataFolder;
  /** Where commands run: what they write lands here, what they read is the checkout's. */
  folder: string;
  /** Runs commands in one shell, as a person would type them; a failed request ends it. @throws with the end of its output */
  run(script: string): Promise<string>;
  close(): Promise<void>;
}

/** A service with the settings that the documents name, and a shell beside it. */
export async function startDocumentShell(): Promise<DocumentShell> {
  const data = await createDataFolder('documents');
  const folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-documents-'));
  await linkCheckout(folder);
  const comfy = await startFakeComfy();
  const origin = await startOrigin();
  const promptId = comfy.queue();
  comfy.finish(promptId, { '9': { images: [{ filename: 'a.png' }] } });
  const service = await startService({
    env: {
      DATA_DIR: data.path,
      WEBHOOK_SECRET_RUNPOD: 'a-secret-for-this-guide',
      COMFYUI_URL: comfy.url,
      FETCH_TRUSTED_HOSTS: '127.0.0.1',
    },
  });
  return {
    service,
    data,
    folder,
    run: (script) =>
      runAsTyped(script, {
        folder,
        env: { DATA_DIR: data.path, IMAGE_URL: `${origin.url}/ok/1.png`, PROMPT_ID: promptId },
      }),
    close: async () => {
      service.kill('SIGTERM');
      await service.ended;
      await comfy.close();
      origin.close();
      await rm(folder, { recursive: true, force: true });
      await data.remove();
    },
  };
}

/** Makes a folder look like the checkout to commands that run in it. */
export async function linkCheckout(folder: string): Promise<void> {
  for (const name of ['package.json', 'src', 'node_modules', 'examples', 'migrations'])
    await symlink(path.join(CHECKOUT, name), path.join(folder, name));
}

/** Runs commands in one shell, with only these variables; a failed request ends it. @throws with the end of its output */
export async function runAsTyped(
  script: string,
  { folder, env }: { folder: string; env: Record<string, string> },
): Promise<string> {
  const preamble = [
    'set -eu -o pipefail',
    // As npm starts a package's command: `npx` itself would take a second each time.
    'npx() { test "$1" = mediakeep; shift; node src/cli/bin.js "$@"; }',
    'curl() { command curl --fail-with-body "$@"; }',
  ].join('\n');
  await writeFile(path.join(folder, 'script.sh'), `${preamble}\n${script}`);
  const { stdout } = await promisify(execFile)('bash', ['script.sh'], {
    cwd: folder,
    env: { PATH: `${path.dirname(process.execPath)}:${process.env['PATH'] ?? ''}`, HOME: folder, ...env },
  }).catch((error: Error & { stdout: string; stderr: string }) => {
    throw new Error(`${error.stdout.slice(-1500)}\n${error.stderr.slice(-1500)}`);
  });
  return stdout;
}

/** Commands as one script; each block says in the output where it begins. */
export function inOneScript(blocks: readonly { place: string; text: string }[]): string {
  return blocks.map(({ place, text }) => `echo "## ${place}" >&2; echo "## ${place}"\n${text}`).join('\n');
}
