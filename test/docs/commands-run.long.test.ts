import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { blocksOf } from '../support/document-blocks.ts';
import { type DocumentShell, canRunCommands, inOneScript, startDocumentShell } from '../support/document-shell.ts';
import { hasProgram } from '../support/has-program.ts';
import { CHECKOUT } from '../support/service-process.ts';

/** Blocks that start something: the service of these tests stands for what they start. */
const STARTS = /^(npm ci|npm test|docker compose|.*npm start$)/m;

let shell: DocumentShell;
beforeAll(async () => {
  shell = await startDocumentShell();
});
afterAll(() => shell?.close());

describe.runIf(canRunCommands)('commands of the documents', () => {
  test.each(['README.md', 'docs/guide.md'])('those of %s work, one after the other', async (name) => {
    const blocks = blocksOf(readFileSync(path.join(CHECKOUT, name), 'utf8')).filter(
      ({ language, text }) => language === 'sh' && !STARTS.test(text),
    );
    expect(blocks.length).toBeGreaterThan(1);
    const script = inOneScript(blocks.map(({ line, text }) => ({ place: `line ${line}`, text })));
    const output = await shell.run(script.replaceAll('http://127.0.0.1:8080', shell.service.address));
    expect(output).not.toContain('undefined');
    expect(output).not.toContain('"problem"');
  });

  test('a token that is made as the documents show opens the service', async () => {
    const secret = readFileSync(path.join(shell.data.path, 'jwt-secret'), 'utf8').trim();
    const files = blocksOf(readFileSync(path.join(CHECKOUT, 'docs/how-to/tokens.md'), 'utf8')).flatMap((block) =>
      block.note?.startsWith('file: ') === true ? [{ ...block, name: block.note.slice('file: '.length) }] : [],
    );
    expect(files.map(({ language }) => language)).toEqual(['js', 'python']);
    for (const { name, language, text } of files) {
      if (language === 'python' && !hasProgram('python3', '--version')) continue;
      await writeFile(path.join(shell.folder, name), text);
      const program = language === 'python' ? 'python3' : process.execPath;
      const env = { PATH: process.env['PATH'], JWT_SECRET: secret };
      const { stdout } = await promisify(execFile)(program, [name], { cwd: shell.folder, env });
      const answer = await fetch(`${shell.service.address}/v1/media`, {
        headers: { authorization: `Bearer ${stdout.trim()}` },
      });
      expect([name, answer.status]).toEqual([name, 200]);
    }
  });
});
