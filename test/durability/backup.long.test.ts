import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startSystemPostgres, systemPostgresBin, type SystemPostgres } from '../support/database/system-postgres.ts';
import { type DataFolder, createDataFolder } from '../support/data-folder.ts';
import { blocksOf } from '../support/document-blocks.ts';
import { runCommand } from '../support/run-command.ts';
import { bigPng } from '../support/sample-files.ts';
import { CHECKOUT, type ServiceProcess, startService } from '../support/service-process.ts';
import { JWT_SECRET, asUser } from '../support/test-app.ts';

const bin = systemPostgresBin();
const SENDERS = 3;

let folder: DataFolder;
let postgres: SystemPostgres;
beforeAll(async () => {
  if (bin === undefined) return;
  folder = await createDataFolder('backup');
  postgres = await startSystemPostgres(bin, folder.path);
});
afterAll(async () => {
  await postgres?.stop();
  await folder?.remove();
});

/** Runs the commands of docs/how-to/backup.md, as they stand there. */
async function runDocumented(note: string, env: Record<string, string>): Promise<void> {
  const text = readFileSync(path.join(CHECKOUT, 'docs/how-to/backup.md'), 'utf8');
  const block = blocksOf(text).find((one) => one.note === `run: ${note}`);
  expect(block).toBeDefined();
  await promisify(execFile)('bash', ['-euc', block?.text ?? ''], {
    env: { PATH: `${postgres.bin}:${process.env['PATH'] ?? ''}`, ...env },
  });
}

/** Stores files until it is told to stop; each 201 is noted at once. */
function upload(service: ServiceProcess, stored: Map<string, string>) {
  let going = true;
  let salt = 0;
  const send = async () => {
    while (going) {
      const bytes = bigPng(20_000 + ((salt * 7919) % 200_000), (salt += 1));
      const answer = await fetch(`${service.address}/v1/media`, {
        method: 'POST',
        headers: { ...asUser('alice'), 'content-type': 'image/png' },
        body: new Uint8Array(bytes),
      });
      expect(answer.status).toBe(201);
      await sleep(30);
      stored.set(((await answer.json()) as { id: string }).id, createHash('sha256').update(bytes).digest('hex'));
    }
  };
  const sending = Promise.all(Array.from({ length: SENDERS }, send));
  // Reported by the caller's `stop`; until then nobody waits for it.
  sending.catch(() => {});
  return async () => {
    going = false;
    await sending;
  };
}

describe.runIf(bin !== undefined)('a backup of a running service', () => {
  test('restored elsewhere, it has every item that was stored before it began, and every item has its bytes', async () => {
    const at = (name: string) => path.join(folder.path, name);
    const env = { JWT_SECRET, PUBLIC_BASE_URL: 'http://media.test' };
    const old = { ...env, DATA_DIR: at('old'), LOCAL_ROOT: at('old/files') };
    const databases = {
      old: await postgres.createDatabase('old'),
      restored: await postgres.createDatabase('restored'),
    };
    const first = await startService({ env: { ...old, DATABASE_URL: databases.old } });
    const stored = new Map<string, string>();
    const stop = upload(first, stored);
    let before: [string, string][] = [];
    try {
      while (stored.size < 30) await sleep(20);
      before = [...stored];
      await runDocumented('backup', { BACKUP: at('backup'), DATABASE_URL: databases.old, LOCAL_ROOT: at('old/files') });
      // Uploads went on all the time.
      expect(stored.size).toBeGreaterThan(before.length);
    } finally {
      await stop();
      first.kill('SIGKILL');
      await first.ended;
    }
    await runDocumented('restore', {
      BACKUP: at('backup'),
      NEW_DATABASE_URL: databases.restored,
      NEW_LOCAL_ROOT: at('new'),
    });
    const settings = { ...env, DATA_DIR: at('other'), DATABASE_URL: databases.restored, LOCAL_ROOT: at('new') };
    const second = await startService({ env: settings });
    try {
      const read = (route: string) => fetch(`${second.address}${route}`, { headers: asUser('alice') });
      const restored = new Set<string>();
      for (let cursor = ''; ;) {
        const page = (await (await read(`/v1/media?limit=200${cursor}`)).json()) as {
          items: { id: string; sha256: string }[];
          nextCursor?: string | null;
        };
        for (const { id, sha256 } of page.items) {
          const bytes = Buffer.from(await (await read(`/v1/media/${id}/content`)).arrayBuffer());
          expect([id, createHash('sha256').update(bytes).digest('hex')]).toEqual([id, sha256]);
          expect(sha256).toBe(stored.get(id) ?? sha256);
          restored.add(id);
        }
        if (typeof page.nextCursor !== 'string') break;
        cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`;
      }
      expect(before.filter(([id]) => !restored.has(id))).toEqual([]);
      // The restored one takes new items, under ids of its own.
      const stopAgain = upload(second, stored);
      await sleep(500);
      await stopAgain();
      expect((await runCommand(['verify'], settings)).code).toBe(0);
    } finally {
      second.kill('SIGTERM');
      await second.ended;
    }
  });
});
