import { afterEach, expect, test, vi } from 'vitest';
import { type DataFolder, createDataFolder } from '../support/data-folder.ts';
import { startService } from '../support/service-process.ts';

let folder: DataFolder | undefined;
afterEach(() => folder?.remove());

// A terminal sends Ctrl-C to the whole process group, a supervisor its signal to npm alone.
test.each([
  ['SIGTERM', 'npm', 1],
  ['SIGINT', 'the group', -1],
] as const)('%s to %s ends a service started by `npm start`', async (signal, _whom, sign) => {
  folder = await createDataFolder('npm-start');
  const env = { DATA_DIR: folder.path, WORKER_CONCURRENCY: '0' };
  const service = await startService({ env, command: ['npm', 'start'] });
  try {
    process.kill(sign * service.pid, signal);
    await vi.waitFor(() => expect(service.output()).toContain('"closed"'), 15_000);
    await service.ended;
    await expect(fetch(service.address)).rejects.toThrow();
  } finally {
    try {
      process.kill(-service.pid, 'SIGKILL');
    } catch {
      // Everything has ended, as it should.
    }
  }
});
