import { access, constants, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

/** Finds nginx and writes its configuration below `folder`; undefined where it is not installed. */
export async function writeNginxConfig(
  folder: string,
  files: string,
  port: number,
): Promise<{ command: string; words: string[] } | undefined> {
  const command = await findNginx();
  if (command === undefined) return undefined;
  await mkdir(folder, { recursive: true });
  const config = path.join(folder, 'nginx.conf');
  await writeFile(
    config,
    `${process.getuid?.() === 0 ? 'user root;\n' : ''}worker_processes auto;
daemon off;
pid ${folder}/nginx.pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
  sendfile on;
  tcp_nopush on;
  access_log off;
  keepalive_requests 1000000;
  default_type application/octet-stream;
${TEMPORARY.map((name) => `  ${name}_temp_path ${folder}/${name};`).join('\n')}
  server {
    listen 127.0.0.1:${port};
    root ${files};
  }
}
`,
  );
  return { command, words: ['-p', folder, '-c', config, '-e', 'stderr'] };
}

export async function findNginx(): Promise<string | undefined> {
  for (const folder of [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin']) {
    const file = path.join(folder, 'nginx');
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return file;
  }
  return undefined;
}
