import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { hasProgram } from './has-program.ts';

export const HAS_NGINX = hasProgram('nginx', '-v');

export interface Nginx {
  stop(): Promise<void>;
}

/**
 * Starts nginx in a folder of its own.
 * @param site what stands in its `http` block
 */
export async function startNginx(site: string): Promise<Nginx> {
  const base = await mkdtemp(path.join(tmpdir(), 'mediakeep-nginx-'));
  await chmod(base, 0o755);
  await mkdir(path.join(base, 'temp'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${base}/temp/${kind};`)
    .join(' ');
  await writeFile(path.join(base, 'site.conf'), site);
  await writeFile(
    path.join(base, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${base}/nginx.pid; error_log ${base}/error.log;
     events {} http { access_log off; ${temporary} include ${base}/site.conf; }`,
  );
  const child = spawn('nginx', ['-p', base, '-c', path.join(base, 'nginx.conf')], { stdio: 'inherit' });
  return {
    async stop() {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
      await rm(base, { recursive: true, force: true });
    },
  };
}
