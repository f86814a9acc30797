import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';

// `npm run check`: all checks in parallel. A check's output is shown when it fails.

/** The longest first. */
const GATES = ['regexes', 'lint', 'openapi', 'types', 'gates', 'unused', 'docs', 'format', 'house'];

interface Outcome {
  gate: string;
  code: number;
  seconds: number;
  output: string;
}

function run(gate: string): Promise<Outcome> {
  const started = performance.now();
  const child = spawn('npm', ['run', '-s', `check:${gate}`], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ gate, code: code ?? 1, seconds: (performance.now() - started) / 1000, output }),
    );
  });
}

const waiting = [...GATES];
let failed = 0;
async function work(): Promise<void> {
  for (let gate = waiting.shift(); gate !== undefined; gate = waiting.shift()) {
    const { code, seconds, output } = await run(gate);
    process.stdout.write(`${code === 0 ? '✓' : '✗'} ${gate} ${seconds.toFixed(1)} s\n`);
    if (code === 0) continue;
    failed += 1;
    process.stdout.write(output);
  }
}
await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, work));
process.exitCode = failed > 0 ? 1 : 0;
