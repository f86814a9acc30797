import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../../errors.ts';
import { type Files, systemFiles } from './files.ts';
import { ignoreMissing } from './paths.ts';
import { NO_HARD_LINKS } from './traits.ts';

export interface NewFileOptions {
  mode?: number;
  files?: Files;
}

/**
 * Creates a small file that exists whole or not at all, also for concurrent readers and after a crash. An existing one stays as it
 * is. The caller syncs the folder.
 */
export async function createNewFile(
  file: string,
  text: string,
  { mode = 0o666, files = systemFiles }: NewFileOptions = {},
): Promise<void> {
  const temp = `${file}.${randomUUID()}.part`;
  await files.writeFile(temp, text, { flag: 'wx', mode, flush: true });
  try {
    await files.link(temp, file);
  } catch (error) {
    const code = codeOf(error) ?? '';
    if (NO_HARD_LINKS.has(code)) await renameAsFirst(temp, file, files);
    else if (code !== 'EEXIST') throw error;
  } finally {
    await files.unlink(temp).catch(ignoreMissing);
  }
}

/** Longer than a creator holds a claim, unless it was killed. */
const CLAIM_MS = 5000;
const CLAIM_POLL_MS = 50;

/** Without hard links: whoever creates the claim beside the file may rename; the others wait for it. */
async function renameAsFirst(temp: string, file: string, files: Files): Promise<void> {
  const claim = `${file}.claim`;
  await takeClaim(claim, files);
  try {
    if (!(await files.lstat(file).catch(ignoreMissing))) await files.rename(temp, file);
  } finally {
    await files.unlink(claim).catch(ignoreMissing);
  }
}

async function takeClaim(claim: string, files: Files): Promise<void> {
  for (const until = performance.now() + CLAIM_MS; ; await sleep(CLAIM_POLL_MS)) {
    try {
      await files.writeFile(claim, '', { flag: 'wx' });
      return;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    // Its creator was killed.
    if (performance.now() > until) await files.unlink(claim).catch(ignoreMissing);
  }
}
