import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { hasProgram } from '../has-program.ts';

/** Whether certificates can be made here. */
export const hasOpenssl = (): boolean => hasProgram('openssl', 'version');

export interface Certificates {
  /** The CA of the server's certificate. */
  ca: string;
  /** A CA that has nothing to do with it. */
  otherCa: string;
  cert: string;
  key: string;
}

/** Makes a CA, and a certificate of it that is for `localhost` alone. */
export function makeCertificates(folder: string): Certificates {
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  const file = (name: string) => path.join(folder, name);
  const newKey = ['-newkey', 'rsa:2048', '-nodes'];
  for (const name of ['ca', 'other'])
    run(
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    );
  run('req', ...newKey, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost');
  writeFileSync(file('names'), 'subjectAltName=DNS:localhost\n');
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names'];
  run('x509', '-req', '-in', 'server.csr', '-out', 'server.pem', ...signed);
  return { ca: file('ca.pem'), otherCa: file('other.pem'), cert: file('server.pem'), key: file('server.key') };
}

/** Copies certificate and key to where the server of this data directory reads them. */
export function installCertificate({ cert, key }: Certificates, dataDirectory: string): void {
  const { uid, gid } = statSync(dataDirectory);
  for (const [from, name] of [
    [cert, 'server.crt'],
    [key, 'server.key'],
  ] as const) {
    const to = path.join(dataDirectory, name);
    copyFileSync(from, to);
    chmodSync(to, 0o600);
    chownSync(to, uid, gid);
  }
}
