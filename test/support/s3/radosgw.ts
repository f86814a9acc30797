import type { ChosenS3 } from './chosen-s3.ts';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { access, constants, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../../../src/db/embedded/free-port.ts';

const run = promisify(execFile);
const TOOLS = ['radosgw', 'radosgw-admin', 'ceph', 'ceph-mon', 'ceph-osd', 'ceph-authtool', 'monmaptool'];
const START_MS = 60_000;
const KEYS = { accessKeyId: 'test', secretAccessKey: 'test-secret' };

/** Ceph's gateway with one monitor and one disk in memory; undefined when it is not installed or does not start. */
export async function startRadosGateway(told: (message: string) => void): Promise<ChosenS3 | undefined> {
  if (!(await installed())) return undefined;
  if (process.getuid?.() !== 0) {
    told('No radosgw for tests: its daemons start as root only');
    return undefined;
  }
  const folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-rgw-'));
  const out = path.join(folder, 'out');
  // For a run that ends without its teardown: daemons outlive their parent.
  const killAll = () => {
    for (const pid of daemons(out)) signalled(pid, 'SIGKILL');
  };
  process.on('exit', killAll);
  const stop = async () => {
    // All of their data is in memory.
    killAll();
    process.off('exit', killAll);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const port = await freePort();
    await startCluster(folder, port, AbortSignal.timeout(START_MS));
    const s3 = {
      kind: 'radosgw' as const,
      endpoint: `http://127.0.0.1:${port}`,
      ...KEYS,
      region: 'us-east-1',
      bucket: undefined,
    };
    return { s3, stop, pids: { server: pidOf(out, 'client.rgw'), storage: pidOf(out, 'osd.0') } };
  } catch (error) {
    told(`No radosgw for tests: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
    await stop();
    return undefined;
  }
}

async function installed(): Promise<boolean> {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter).filter(Boolean);
  const found = await Promise.all(
    TOOLS.map(async (tool) => {
      const places = await Promise.all(
        folders.map((folder) =>
          access(path.join(folder, tool), constants.X_OK).then(
            () => true,
            () => false,
          ),
        ),
      );
      return places.some(Boolean);
    }),
  );
  return found.every(Boolean);
}

async function startCluster(folder: string, port: number, signal: AbortSignal): Promise<void> {
  const monitors = `[v2:127.0.0.1:${await freePort()},v1:127.0.0.1:${await freePort()}]`;
  const fsid = randomUUID();
  const config = path.join(folder, 'ceph.conf');
  const keyring = path.join(folder, 'keyring');
  await Promise.all(['mon', 'osd', 'out'].map((name) => mkdir(path.join(folder, name))));
  await writeFile(config, configuration(folder, fsid, monitors, port));
  const call = (tool: string, ...words: string[]) =>
    run(tool, words, { signal, env: { ...process.env, CEPH_CONF: config } });
  const everything = ['--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *', '--cap', 'mgr', 'allow *'];
  await call('ceph-authtool', '--create-keyring', keyring, '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *');
  for (const name of ['client.admin', 'client.rgw', 'osd.0'])
    await call('ceph-authtool', keyring, '--gen-key', '-n', name, ...everything);
  const map = path.join(folder, 'monmap');
  await call('monmaptool', '--create', '--addv', 'a', monitors, '--fsid', fsid, map);
  await call('ceph-mon', '-c', config, '--mkfs', '-i', 'a', '--monmap', map, '--keyring', keyring);
  await call('ceph-mon', '-c', config, '-i', 'a');
  const { stdout } = await call('ceph', '-c', config, 'osd', 'create');
  const disk = stdout.trim();
  await call('ceph-osd', '-c', config, '-i', disk, '--mkfs');
  await call('ceph-osd', '-c', config, '-i', disk);
  await call('radosgw', '-c', config, '-n', 'client.rgw');
  while (
    !(await fetch(`http://127.0.0.1:${port}`, { signal }).then(
      (answer) => answer.ok,
      () => false,
    ))
  ) {
    signal.throwIfAborted();
    await sleep(250);
  }
  await call(
    'radosgw-admin',
    '-c',
    config,
    'user',
    'create',
    '--uid=media',
    '--display-name=media',
    `--access-key=${KEYS.accessKeyId}`,
    `--secret-key=${KEYS.secretAccessKey}`,
  );
}

function configuration(folder: string, fsid: string, monitors: string, port: number): string {
  return `[global]
fsid = ${fsid}
mon host = ${monitors}
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
keyring = ${folder}/keyring
auth allow insecure global id reclaim = false
mon allow pool size one = true
mon data = ${folder}/mon
osd data = ${folder}/osd
osd objectstore = memstore
memstore device bytes = 8589934592
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd crush chooseleaf type = 0
run dir = ${folder}/out
admin socket = ${folder}/out/$name.asok
log file = ${folder}/out/$name.log
pid file = ${folder}/out/$name.pid
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:${port}
rgw thread pool size = 64
rgw dns name = s3.test
`;
}

/** The daemons run in the background; each has left its pid. */
function daemons(folder: string): number[] {
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.pid')) : [];
  return files.map((name) => Number(readFileSync(path.join(folder, name), 'utf8')));
}

function pidOf(folder: string, name: string): number {
  return Number(readFileSync(path.join(folder, `${name}.pid`), 'utf8'));
}

function signalled(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return pid > 1 && process.kill(pid, signal);
  } catch {
    return false;
  }
}
