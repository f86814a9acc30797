import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** As in `npm start`; docs/operations.md says what they are for. */
const FLAGS = ['--enable-source-maps', '--min-semi-space-size=8', '--expose-gc'];

/** `mediakeep start`: becomes the service, under the same process id, so that signals reach it. */
export async function runStart(): Promise<void> {
  const main = fileURLToPath(new URL(`../../main${path.extname(import.meta.filename)}`, import.meta.url));
  if (process.platform !== 'win32') process.execve?.(process.execPath, [process.execPath, ...FLAGS, main], process.env);
  // Without those flags it works, only with more memory and CPU time.
  await import(pathToFileURL(main).href);
}
