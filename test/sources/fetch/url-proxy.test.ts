// Case numbers in titles are those of the table in docs/threat-model.md.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { serveHttp } from './local-server.ts';

test('case 79: proxy variables have no effect', async () => {
  const target = await serveHttp((_request, response) => response.end('direct'));
  const proxy = await serveHttp((_request, response) => response.end('proxied'));
  const url = `http://127.0.0.1:${target.port}/a.png`;
  const address = `http://127.0.0.1:${proxy.port}`;
  const module = new URL('../../../src/sources/fetch/fetch-url.ts', import.meta.url).href;
  const script = `
    const { createUrlFetcher } = await import(${JSON.stringify(module)});
    const fetcher = createUrlFetcher({ trustedHosts: ['127.0.0.1'], maxBytes: 1000, totalTimeoutMs: 5000 });
    const { body } = await fetcher.fetch(${JSON.stringify(url)});
    for await (const chunk of body) process.stdout.write(chunk);
    const { get } = await import('node:http');
    get(${JSON.stringify(url)}, (response) => response.pipe(process.stdout));
  `;
  const proxies = Object.fromEntries(
    ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy'].map((name) => [name, address]),
  );
  const env = { ...process.env, ...proxies, NO_PROXY: '', no_proxy: '', NODE_USE_ENV_PROXY: '1' };
  const running = promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], { env });
  onTestFinished(() => void running.child.kill());
  // Node's own client does go through the proxy, which shows that the variables were heard.
  expect((await running).stdout).toBe('directproxied');
});
