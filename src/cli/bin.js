#!/usr/bin/env node
// Starts the command line. A checkout runs TypeScript, with this Node or the one that comes with the packages; the package is compiled,
// since Node strips no types below node_modules.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

const source = new URL('main.ts', import.meta.url);
const main = fileURLToPath(existsSync(source) ? source : new URL('../../dist/src/cli/main.js', import.meta.url));
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major > 22 || (major === 22 && minor >= 18)) {
  module.enableCompileCache();
  await import(pathToFileURL(main).href);
} else {
  const packaged = fileURLToPath(new URL('../../node_modules/node/bin/node', import.meta.url));
  if (!existsSync(packaged)) {
    process.stderr.write(`mediakeep needs Node 22.18 or newer; this is ${process.versions.node}\n`);
    process.exit(1);
  }
  const child = spawn(packaged, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  // A supervisor signals this process alone. Ctrl-C reaches both, so it is waited out here.
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.on('SIGHUP', () => child.kill('SIGHUP'));
  process.on('SIGINT', () => {});
  child.on('close', (status, signal) => {
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else process.exit(status ?? 1);
  });
}
