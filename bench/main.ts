import { parseArgs } from 'node:util';
import { printed, writeSection } from './document.ts';
import { downloadSuite } from './download.ts';
import { growthSuite } from './growth-suite.ts';
import { describeMachine } from './machine.ts';
import { memorySuite } from './memory.ts';
import { peersSuite } from './peers.ts';
import { quickSuite } from './quick.ts';
import { listSuite, lookupSuite } from './records.ts';
import { signedUrlsSuite } from './signed-urls.ts';
import { replicasSuite } from './replicas.ts';
import { openStage } from './stage.ts';
import { startSuite } from './start.ts';
import type { Suite } from './suite.ts';
import { uploadSuite } from './upload.ts';
import { wordsSuite } from './words.ts';

// npm run bench [-- suite …] [--rounds 5] [--seconds 3] [--bytes 2147483648] [--no-write] Without a suite: all but `quick`.
// Prints the tables and writes those sections of docs/benchmarks.md.

const SUITES: Record<string, Suite> = {
  upload: uploadSuite,
  download: downloadSuite,
  lookup: lookupSuite,
  list: listSuite,
  'signed-urls': signedUrlsSuite,
  memory: memorySuite,
  replicas: replicasSuite,
  start: startSuite,
  peers: peersSuite,
  growth: growthSuite,
  words: wordsSuite,
  quick: quickSuite,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    bytes: { type: 'string', default: String(2 * 1024 ** 3) },
    write: { type: 'boolean', default: true },
  },
});
const options = {
  rounds: Number(values.rounds ?? 5),
  seconds: Number(values.seconds ?? 3),
  repeats: 2,
  hugeBytes: Number(values.bytes),
};
const chosen = positionals.length > 0 ? positionals : Object.keys(SUITES).filter((name) => name !== 'quick');
const unknown = chosen.filter((name) => SUITES[name] === undefined);
if (unknown.length > 0 || !(options.rounds >= 1) || !(options.seconds > 0) || !(options.hugeBytes > 1e6)) {
  process.stderr.write(
    `usage: npm run bench [-- ${Object.keys(SUITES).join('|')} …] [--rounds N] [--seconds N] [--bytes N] [--no-write]\n`,
  );
  process.exit(2);
}
if (chosen.includes('quick') && (values.rounds ?? values.seconds) !== undefined) {
  process.stderr.write(
    "'quick' has rounds and seconds of its own, so that it ends in time: leave --rounds and --seconds out\n",
  );
  process.exit(2);
}
if (process.platform !== 'linux') {
  process.stderr.write('CPU time and memory are read from /proc: the measurements run on Linux alone\n');
  process.exit(2);
}

const stage = await openStage(options);
let stopped = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stopped) return;
    stopped = true;
    process.stderr.write('ending …\n');
    void stage.end().then(() => process.exit(130));
  });
}
// Cleans up processes and files, even after an error of the harness.
process.on('uncaughtException', (error) => {
  process.stderr.write(`${error.stack ?? error.message}\n`);
  void stage.end().then(() => process.exit(1));
});
try {
  const machine = await describeMachine();
  stage.log(machine);
  for (const name of chosen) {
    const suite = SUITES[name];
    if (!suite) continue;
    const section = await suite(stage);
    stage.log(printed(section));
    const circumstances = `${machine} · ${options.rounds} rounds of ${options.seconds} s`;
    if (values.write && !stopped && name !== 'quick') await writeSection(name, section, circumstances);
  }
} catch (error) {
  // A measurement fails when its servers are stopped.
  if (!stopped) {
    process.exitCode = 1;
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  }
} finally {
  await stage.end();
}
