import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { Type } from 'typebox';
import { abortable } from '../../../src/storage/streams/abortable.ts';
import { type Driver, StorageError } from '../../../src/storage/driver.ts';
import type { DriverKind } from '../../../src/storage/stores/registry.ts';

interface MemoryObject {
  bytes: Buffer;
  contentType: string;
  modifiedAt: Date;
}

export interface MemoryStore extends Driver {
  readonly objects: Map<string, MemoryObject>;
  /** While set, every call fails like a store that is down; a running body fails at its next chunk. */
  down: boolean;
  /** Bytes received in bodies, finished or not. */
  received: number;
  /** Awaited before a put becomes visible. */
  gate: Promise<void> | undefined;
  /** What it keeps of a body, which it acknowledges as whole. */
  keeps: (bytes: Buffer) => Buffer;
}

const no = (reason: string) => ({ able: false, reason });

/** The smallest possible driver: it returns whole objects only, and loses them when the process ends. */
export function createMemoryDriver(): MemoryStore {
  const objects = new Map<string, MemoryObject>();
  const up = () => {
    if (store.down) throw new StorageError('UNAVAILABLE', 'the memory was switched off');
  };
  const store: MemoryStore = {
    remote: true,
    objects,
    down: false,
    received: 0,
    gate: undefined,
    keeps: (bytes) => bytes,
    capabilities: {
      range: no('it gives whole objects only'),
      presignGet: no('it has no address'),
      presignPut: no('it has no address'),
      publicUrl: no('it has no address'),
      list: { able: true, reason: 'keys are those of a map' },
      maxObjectBytes: undefined,
    },
    async put(key, body, { size, contentType, overwrite, signal }) {
      up();
      signal?.throwIfAborted();
      const chunks: Uint8Array[] = [];
      for await (const chunk of abortable(body, signal)) {
        up();
        chunks.push(chunk);
        store.received += chunk.length;
      }
      const bytes = Buffer.concat(chunks);
      if (size !== undefined && bytes.length !== size) throw new StorageError('SIZE', 'not what was announced');
      await store.gate;
      up();
      if (overwrite !== true && objects.has(key)) throw new StorageError('EXISTS', 'there is one already');
      objects.set(key, { bytes: store.keeps(bytes), contentType, modifiedAt: new Date() });
      return { bytes: bytes.length, etag: createHash('sha256').update(bytes).digest('hex') };
    },
    async get(key, { signal } = {}) {
      up();
      const found = objects.get(key);
      if (!found) return undefined;
      async function* pieces() {
        for (let at = 0; at < (found?.bytes.length ?? 0); at += 65_536) {
          up();
          yield found?.bytes.subarray(at, at + 65_536);
        }
      }
      const stream = Readable.from(pieces(), { objectMode: false, ...(signal && { signal }) });
      return { stream, bytes: found.bytes.length, totalBytes: found.bytes.length };
    },
    async stat(key) {
      up();
      const found = objects.get(key);
      return found && { bytes: found.bytes.length, modifiedAt: found.modifiedAt };
    },
    async delete(key) {
      up();
      objects.delete(key);
    },
    async list(prefix, cursor = '') {
      up();
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > cursor).toSorted();
      const page = keys.slice(0, 1000);
      return {
        objects: page.map((key) => ({
          key,
          bytes: objects.get(key)?.bytes.length ?? 0,
          modifiedAt: objects.get(key)?.modifiedAt ?? new Date(0),
        })),
        cursor: keys.length > page.length ? page.at(-1) : undefined,
      };
    },
    async healthy() {
      up();
    },
  };
  return store;
}

/** The line in the registry; `made` has every driver that it created, by store. */
export function memoryKind(): { kind: DriverKind; made: Map<string, MemoryStore> } {
  const made = new Map<string, MemoryStore>();
  return {
    made,
    kind: {
      settings: Type.Object({}),
      create: async (_settings, { store }) => {
        const driver = createMemoryDriver();
        made.set(store, driver);
        return driver;
      },
    },
  };
}
