import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

// How far one large upload moves the server's resident memory, in each of the forms that stream.
//   node bench/upload-memory.ts [--bytes 2147483648]
// Prints a line for each form; exit 1 when one moves it by 64 MiB or more.

const LIMIT_MIB = 64;
const { values } = parseArgs({ options: { bytes: { type: 'string', default: String(2 * 1024 ** 3) } } });
const total = Number(values.bytes);
const chunk = Buffer.alloc(1024 * 1024, 7);
/** An MP4 whose one large box is skipped by every reader. */
const head = mp4Head(total);

function mp4Head(bytes: number): Buffer {
  const ftyp = Buffer.from('000000186674797069736f6d0000020069736f6d6d703431', 'hex');
  const mdat = Buffer.alloc(16);
  mdat.writeUInt32BE(1, 0);
  mdat.write('mdat', 4);
  mdat.writeBigUInt64BE(BigInt(bytes - ftyp.length), 8);
  return Buffer.concat([ftyp, mdat]);
}

async function residentMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
}

async function start(dataDir: string): Promise<{ child: ChildProcess; base: string; token: string }> {
  const port = 20_000 + (process.pid % 20_000);
  const child = spawn(process.execPath, ['src/main.ts'], {
    env: { PATH: process.env['PATH'], DATA_DIR: dataDir, PORT: String(port), LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  const token = await new Promise<string>((resolve, reject) => {
    child.on('exit', () => reject(new Error(`the server ended: ${output}`)));
    child.stdout?.on('data', (data: Buffer) => {
      output += data.toString();
      const found = /^eyJ\S+$/m.exec(output);
      if (found) resolve(found[0]);
    });
  });
  return { child, base: `http://127.0.0.1:${port}`, token };
}

function upload(
  base: string,
  token: string,
  form: 'raw' | 'multipart',
  bytes: number,
): Promise<{ status: number; body: string }> {
  const before =
    form === 'raw'
      ? Buffer.alloc(0)
      : Buffer.from(
          '--b\r\nContent-Disposition: form-data; name="file"; filename="big.mp4"\r\nContent-Type: video/mp4\r\n\r\n',
        );
  const after = form === 'raw' ? Buffer.alloc(0) : Buffer.from('\r\n--b--\r\n');
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': form === 'raw' ? 'video/mp4' : 'multipart/form-data; boundary=b',
    'content-length': bytes + before.length + after.length,
  };
  return new Promise((resolve, reject) => {
    const call = request(`${base}/v1/media?userId=bench`, { method: 'POST', headers }, (response) => {
      let body = '';
      response.on('data', (data: Buffer) => (body += data.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    call.on('error', reject);
    const send = async () => {
      const write = async (data: Buffer) => {
        if (!call.write(data)) await new Promise((drained) => call.once('drain', drained));
      };
      await write(before);
      await write(head);
      for (let left = bytes - head.length; left > 0; left -= chunk.length)
        await write(left >= chunk.length ? chunk : chunk.subarray(0, left));
      await write(after);
      call.end();
    };
    send().catch(reject);
  });
}

function expectedSha256(bytes: number): string {
  const hash = createHash('sha256').update(head);
  for (let left = bytes - head.length; left > 0; left -= chunk.length)
    hash.update(left >= chunk.length ? chunk : chunk.subarray(0, left));
  return hash.digest('hex');
}

const dataDir = await mkdtemp(path.join(tmpdir(), 'mediakeep-bench-'));
const server = await start(dataDir);
const pid = server.child.pid ?? 0;
const sha256 = expectedSha256(total);
let failed = false;
try {
  for (const form of ['raw', 'multipart'] as const) {
    // A small one first: what every first upload allocates once is not what is measured.
    await upload(server.base, server.token, form, 8 * 1024 * 1024).then(
      ({ status }) => status === 415 || status === 201,
    );
    const before = await residentMib(pid);
    let peak = before;
    const timer = setInterval(() => void residentMib(pid).then((now) => (peak = Math.max(peak, now))), 50);
    const started = performance.now();
    const { status, body } = await upload(server.base, server.token, form, total);
    clearInterval(timer);
    const seconds = (performance.now() - started) / 1000;
    const item = JSON.parse(body) as { id: string; sha256: string };
    const good = status === 201 && item.sha256 === sha256 && peak - before < LIMIT_MIB;
    failed ||= !good;
    process.stdout.write(
      `${form}: ${(total / 1024 ** 2).toFixed(0)} MiB in ${seconds.toFixed(1)} s, status ${status}, sha256 ${item.sha256 === sha256 ? 'right' : 'WRONG'}, resident ${before.toFixed(0)} -> peak ${peak.toFixed(0)} MiB (+${(peak - before).toFixed(0)}, limit ${LIMIT_MIB})\n`,
    );
    await fetch(`${server.base}/v1/media/${item.id}?purge=true`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${server.token}` },
    });
  }
} finally {
  server.child.kill('SIGTERM');
  await new Promise((resolve) => server.child.once('exit', resolve));
  await rm(dataDir, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;
