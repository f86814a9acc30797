import { parseArgs } from 'node:util';
import { runCrashRounds } from '../test/durability/crash-rounds.ts';

/** `node bench/crash-loop.ts --rounds 100`: exit code 1 when acknowledged data is lost or partial data is visible. */
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '100' } } });
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) {
  process.stderr.write('--rounds must be a whole number from 1\n');
  process.exit(2);
}
const started = performance.now();
const report = await runCrashRounds(rounds, (line) => process.stdout.write(`${line}\n`));
const seconds = Math.round((performance.now() - started) / 1000);
process.stdout.write(
  `crash loop: ${report.rounds} rounds, ${report.acknowledged} uploads acknowledged, ${report.cut} cut off, ` +
    `${report.leftoversSwept} leftovers of ${report.roundsWithLeftovers} rounds swept, ${report.failures.length} failures (${seconds} s)\n`,
);
process.exit(report.failures.length > 0 ? 1 : 0);
