import { readFileSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { Output } from './telemetry/output.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const output = new Output();
const msg = `mediakeep ${version} is starting`;
// Loading the modules takes a moment.
output.write(
  process.env['NODE_ENV'] === 'production'
    ? `${JSON.stringify({ level: 30, time: Date.now(), pid: process.pid, msg })}\n`
    : `${msg} …\n`,
);

// A body's chunks are outside V8's heap until their handles are collected. When the young generation may grow to 16 MiB, collections
// are so rare that a 2 GiB upload adds 65-80 MiB of resident memory; when it stays small, 10 MiB. No extra CPU time per upload or
// listing was measured.
setFlagsFromString('--semi-space-growth-factor=1');
// Stripping types and compiling take half of a start, so the cache must be enabled before the modules are imported. Without a writable
// cache (a read-only image) the start only takes longer.
enableCompileCache();
const { start } = await import('./process/server.ts');
const { reportFailedStart } = await import('./process/failed-start.ts');

await start(process.env, { version, output }).catch(reportFailedStart);
