import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const OUTPUT = fileURLToPath(new URL('../../src/telemetry/output.ts', import.meta.url));

/** Runs `script` with `output`, an Output on standard output, in a process of its own. */
function run(script: string, redirect = '') {
  const code = `import { Output } from ${JSON.stringify(OUTPUT)}; import { setTimeout as sleep } from 'node:timers/promises';
    const output = new Output(); ${script}`;
  return spawn('bash', ['-c', `exec "$0" --input-type=module-typescript -e "$1" ${redirect}`, process.execPath, code], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function textOf(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = '';
  for await (const chunk of stream ?? []) text += String(chunk);
  return text;
}

test('what is written arrives whole and in order, beyond the size of a pipe', async () => {
  const child = run("for (let n = 0; n < 20000; n += 1) output.write(`line ${n} ${'x'.repeat(100)}\\n`);");
  const [text] = await Promise.all([textOf(child.stdout), once(child, 'exit')]);
  const lines = text.split('\n').slice(0, -1);
  expect(lines).toHaveLength(20_000);
  expect(lines.every((line, n) => line.startsWith(`line ${n} x`))).toBe(true);
});

test('when the reader is gone, standard error takes its place, and says so', async () => {
  const child = run("output.write('one\\n'); await sleep(500); output.write('two\\n'); output.write('three\\n');");
  child.stdout.once('data', () => child.stdout.destroy());
  const text = await textOf(child.stderr);
  expect(text).toMatch(/^\{.*"standard output is closed; the log goes on here"\}\ntwo\nthree\n$/);
});

test('a reader that stalls delays little; what was lost is told when it reads on', async () => {
  const child = run(
    `process.stdout; const started = performance.now();
     for (let n = 0; n < 3000; n += 1) output.write(\`line \${n} \${'x'.repeat(200)}\\n\`);
     process.stderr.write(String(performance.now() - started) + '\\n');
     await sleep(1500); output.write('the end\\n');`,
  );
  child.stdout.pause();
  const [took] = (await once(child.stderr, 'data')) as [Buffer];
  expect(Number(String(took))).toBeLessThan(20_000);
  const text = await textOf(child.stdout);
  expect(text).toMatch(/\n\{.*"\d+ lines of the log were lost \(EAGAIN\)"\}\nthe end\n$/);
  // No line is cut without an end.
  for (const line of text.split('\n').slice(0, -3)) expect(line.length).toBeLessThan(220);
});

test.skipIf(!existsSync('/dev/full'))('a full disk is no error of the writer', async () => {
  const child = run(
    "for (let n = 0; n < 100; n += 1) output.write('line\\n'); process.stderr.write('done');",
    '>/dev/full',
  );
  const [text, [code]] = await Promise.all([textOf(child.stderr), once(child, 'exit')]);
  expect([text, code]).toEqual(['done', 0]);
});
