import { expect, test, vi } from 'vitest';
import { freePort } from '../../src/db/embedded/free-port.ts';
import { createDataFolder } from '../support/data-folder.ts';
import { startService } from '../support/service-process.ts';

test('between a signal and the end, readiness is red while requests are answered; metrics have a port of their own', async () => {
  const folder = await createDataFolder('shutdown-delay');
  const metricsPort = String(await freePort());
  const service = await startService({
    env: { DATA_DIR: folder.path, SHUTDOWN_DELAY_SECONDS: '4', METRICS_PORT: metricsPort, WORKER_CONCURRENCY: '0' },
  });
  try {
    const status = async (path: string) => (await fetch(`${service.address}${path}`)).status;
    expect((await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).status).toBe(200);
    expect(await status('/metrics')).toBe(404);
    const signalled = performance.now();
    service.kill('SIGTERM');
    await vi.waitFor(async () => expect(await status('/health/ready')).toBe(503), { timeout: 3000, interval: 50 });
    expect(await status('/health/live')).toBe(200);
    expect(await status('/v1/media')).toBe(401);
    expect(await service.ended).toBe(0);
    expect(performance.now() - signalled).toBeGreaterThan(4000);
    await expect(fetch(`http://127.0.0.1:${metricsPort}/metrics`)).rejects.toThrow();
  } finally {
    service.kill('SIGKILL');
    await folder.remove();
  }
});
