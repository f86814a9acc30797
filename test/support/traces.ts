import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { TestApp } from './test-app.ts';

/** What the service keeps: rows, intents, and files in the volume (including temporary ones). */
export interface Traces {
  items: number;
  locations: number;
  intents: number;
  files: number;
}

export async function traces(t: TestApp): Promise<Traces> {
  const count = async (table: 'generated_images' | 'media_locations' | 'storage_intents') => {
    const row = await t.deps.db
      .selectFrom(table)
      .select((eb) => eb.fn.countAll<string>().as('n'))
      .executeTakeFirstOrThrow();
    return Number(row.n);
  };
  const entries = await readdir(t.volume, { recursive: true, withFileTypes: true });
  return {
    items: await count('generated_images'),
    locations: await count('media_locations'),
    intents: await count('storage_intents'),
    files: entries.filter((entry) => entry.isFile() && entry.name !== '.mediakeep-volume').length,
  };
}

/** Waits until the service keeps exactly what it kept before: an interrupted upload is cleaned up soon after. */
export async function expectTraces(t: TestApp, before: Traces): Promise<void> {
  for (let attempt = 0; attempt < 60; attempt += 1) {
    const now = await traces(t);
    if (JSON.stringify(now) === JSON.stringify(before)) return;
    await sleep(50);
  }
  expect(await traces(t)).toEqual(before);
}

/** Checks that no token, secret or connection string has been logged. */
export function expectNoSecretsLogged(t: TestApp, secrets: readonly string[]): void {
  const logged = t.logged();
  // Short, so that a failure does not print the whole log.
  for (const secret of secrets) expect(logged.includes(secret), secret.slice(0, 20)).toBe(false);
  expect(/eyJ[\w-]{5,}\.[\w-]{5,}/.exec(logged)?.[0]).toBeUndefined();
  expect(/mku_[\w~-]{6,}/.exec(logged)?.[0]).toBeUndefined();
  expect(logged.includes('postgres://')).toBe(false);
}
