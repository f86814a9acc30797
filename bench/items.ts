import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Kept, Size, Target, Work } from './jobs.ts';
import { prepare } from './measure.ts';
import { type Server, USER } from './servers.ts';
import type { Stage } from './stage.ts';

/** The relevant part of the response to an upload. */
interface Item {
  id: string;
  storageKey: string;
}

export interface Uploaded extends Target {
  id: string;
  /** Path of the file below the server's folder. */
  file: string;
}

export function uploadWork(server: Server, size: Size, form: 'multipart' | 'raw', subfolder?: string): Work {
  const folder = subfolder === undefined ? '' : `&subfolder=${subfolder}`;
  const path = server.name === 'yardstick' ? '/up' : `/v1/media?userId=${USER}${folder}`;
  return { kind: 'upload', path, form, size };
}

/** Uploads so many different files. @throws on any error */
export async function fill(stage: Stage, server: Server, size: Size, count: number): Promise<Uploaded[]> {
  const work = { ...uploadWork(server, size, 'multipart'), keep: true } as Work;
  const { kept } = await prepare(stage, server, work, { maxRequests: count });
  return itemsOf(server.name, kept);
}

/** Parses the responses to uploads. */
export function itemsOf(name: string, kept: readonly Kept[]): Uploaded[] {
  return kept.map(({ body, bytes, sha256 }) => {
    if (name === 'yardstick') {
      const { id, name: file } = JSON.parse(body) as { id: string; name: string };
      return { id, file, path: `/file/${file}`, bytes, sha256 };
    }
    const { id, storageKey } = JSON.parse(body) as Item;
    return { id, file: storageKey, path: `/v1/media/${id}/content`, bytes, sha256 };
  });
}

/** Removes all files below a folder, but keeps the folders, which servers cache. */
export async function clearFiles(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile() && entry.name !== '.mediakeep-volume');
  for (const entry of files) await rm(path.join(entry.parentPath, entry.name), { force: true });
}
