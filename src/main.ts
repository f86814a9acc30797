import { enableCompileCache } from 'node:module';

// Stripping types and compiling take half of a start; the cache has to be on before the modules are loaded, so the
// service is imported only then. Where no cache can be written (a read-only image), the start just takes longer.
enableCompileCache();
const { start } = await import('./serve.ts');
const { reportFailedStart } = await import('./failed-start.ts');

await start(process.env).catch(reportFailedStart);
