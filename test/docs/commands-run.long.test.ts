import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DataFolder, createDataFolder } from '../support/data-folder.ts';
import { blocksOf } from '../support/document-blocks.ts';
import { type FakeComfy, startFakeComfy } from '../support/fake-comfyui.ts';
import { hasProgram } from '../support/has-program.ts';
import { type Origin, startOrigin } from '../support/origin.ts';
import { CHECKOUT, type ServiceProcess, startService } from '../support/service-process.ts';

/** Blocks that start something: the service of these tests stands for what they start. */
const STARTS = /^(npm ci|npm test|docker compose|.*npm start$)/m;

let data: DataFolder;
let folder: string;
let comfy: FakeComfy;
let origin: Origin;
let service: ServiceProcess;
let promptId: string;
beforeAll(async () => {
  data = await createDataFolder('documents');
  // What the commands write lands here; what they read is the checkout's.
  folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-documents-'));
  for (const name of ['package.json', 'src', 'node_modules', 'examples', 'migrations'])
    await symlink(path.join(CHECKOUT, name), path.join(folder, name));
  comfy = await startFakeComfy();
  origin = await startOrigin();
  promptId = comfy.queue();
  comfy.finish(promptId, { '9': { images: [{ filename: 'a.png' }] } });
  service = await startService({
    env: {
      DATA_DIR: data.path,
      WEBHOOK_SECRET_RUNPOD: 'a-secret-for-this-guide',
      COMFYUI_URL: comfy.url,
      FETCH_TRUSTED_HOSTS: '127.0.0.1',
    },
  });
});
afterAll(async () => {
  service?.kill('SIGTERM');
  await service?.ended;
  await comfy?.close();
  origin?.close();
  await rm(folder, { recursive: true, force: true });
  await data?.remove();
});

/** Runs commands in one shell, as a person would type them; a failed request ends it. */
async function inShell(script: string): Promise<string> {
  const preamble = [
    'set -eu -o pipefail',
    // As npm starts a package's command: `npx` itself would take a second each time.
    'npx() { test "$1" = mediakeep; shift; node src/cli/bin.js "$@"; }',
    'curl() { command curl --fail-with-body "$@"; }',
  ].join('\n');
  await writeFile(path.join(folder, 'script.sh'), `${preamble}\n${script}`);
  const { stdout } = await promisify(execFile)('bash', ['script.sh'], {
    cwd: folder,
    env: {
      PATH: `${path.dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
      HOME: folder,
      DATA_DIR: data.path,
      IMAGE_URL: `${origin.url}/ok/1.png`,
      PROMPT_ID: promptId,
    },
  }).catch((error: Error & { stdout: string; stderr: string }) => {
    throw new Error(`${error.stdout.slice(-1500)}\n${error.stderr.slice(-1500)}`);
  });
  return stdout;
}

const canRun = hasProgram('bash', '--version') && hasProgram('curl', '--version');

describe.runIf(canRun)('commands of the documents', () => {
  test.each(['README.md', 'docs/guide.md'])('those of %s work, one after the other', async (name) => {
    const blocks = blocksOf(readFileSync(path.join(CHECKOUT, name), 'utf8')).filter(
      ({ language, text }) => language === 'sh' && !STARTS.test(text),
    );
    expect(blocks.length).toBeGreaterThan(1);
    const script = blocks
      .map(({ line, text }) => `echo "## line ${line}" >&2; echo "## line ${line}"\n${text}`)
      .join('\n');
    const output = await inShell(script.replaceAll('http://127.0.0.1:8080', service.address));
    expect(output).not.toContain('undefined');
    expect(output).not.toContain('"problem"');
  });

  test('a token that is made as the documents show opens the service', async () => {
    const secret = readFileSync(path.join(data.path, 'jwt-secret'), 'utf8').trim();
    const files = blocksOf(readFileSync(path.join(CHECKOUT, 'docs/how-to/tokens.md'), 'utf8')).flatMap((block) =>
      block.note?.startsWith('file: ') === true ? [{ ...block, name: block.note.slice('file: '.length) }] : [],
    );
    expect(files.map(({ language }) => language)).toEqual(['js', 'python']);
    for (const { name, language, text } of files) {
      if (language === 'python' && !hasProgram('python3', '--version')) continue;
      await writeFile(path.join(folder, name), text);
      const program = language === 'python' ? 'python3' : process.execPath;
      const env = { PATH: process.env['PATH'], JWT_SECRET: secret };
      const { stdout } = await promisify(execFile)(program, [name], { cwd: folder, env });
      const answer = await fetch(`${service.address}/v1/media`, {
        headers: { authorization: `Bearer ${stdout.trim()}` },
      });
      expect([name, answer.status]).toEqual([name, 200]);
    }
  });
});
