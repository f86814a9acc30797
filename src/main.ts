import { enableCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';

// Chunks of a body lie outside of V8's heap until their small handles are collected. With a young generation that grows to
// 16 MiB that takes so long that one 2 GiB upload moves resident memory by 65-80 MiB; with one that stays small, by 10. No cost
// in CPU time for each upload or listing could be measured.
setFlagsFromString('--semi-space-growth-factor=1');
// Stripping types and compiling take half of a start; the cache has to be on before the modules are loaded, so the
// service is imported only then. Where no cache can be written (a read-only image), the start just takes longer.
enableCompileCache();
const { start } = await import('./process/server.ts');
const { reportFailedStart } = await import('./process/failed-start.ts');

await start(process.env).catch(reportFailedStart);
