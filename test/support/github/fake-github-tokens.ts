import { createPublicKey, generateKeyPairSync, randomBytes, verify } from 'node:crypto';

export interface Access {
  write: boolean;
  /** Milliseconds since 1970. */
  until: number;
}

/** The credentials that the fake accepts: given tokens, and those that an App requests with a signed JWT. */
export interface FakeTokens {
  appId: string;
  installationId: number;
  /** Of the App, in PEM. */
  privateKey: string;
  add(token: string, access: { write: boolean }): void;
  /** Number of tokens that the App has requested. */
  issued(): number;
  /** Revokes those. */
  endAll(): void;
  issue(): { token: string; expires_at: string };
  /** The access of this header; undefined: none. */
  access(authorization: string | undefined): Access | undefined;
  /** Whether the header holds a valid JWT that the App has signed. */
  isApp(authorization: string | undefined): boolean;
}

export function createFakeTokens(): FakeTokens {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const publicKey = createPublicKey(keys.privateKey);
  const tokens = new Map<string, Access>();
  let issued = 0;
  const bare = (authorization: string | undefined) => /^(?:token|bearer) (\S+)$/i.exec(authorization ?? '')?.[1] ?? '';
  const fake: FakeTokens = {
    appId: '4711',
    installationId: 99,
    privateKey: keys.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
    add: (token, { write }) => void tokens.set(token, { write, until: Infinity }),
    issued: () => issued,
    endAll() {
      for (const [token, access] of tokens) if (token.startsWith('ghs_')) access.until = 0;
    },
    issue() {
      issued += 1;
      const token = `ghs_${randomBytes(18).toString('hex')}`;
      const until = Date.now() + 3_600_000;
      tokens.set(token, { write: true, until });
      return { token, expires_at: new Date(until).toISOString() };
    },
    access(authorization) {
      const found = tokens.get(bare(authorization));
      return found && found.until > Date.now() ? found : undefined;
    },
    isApp(authorization) {
      const [header = '', payload = '', signature = ''] = bare(authorization).split('.');
      if (signature === '') return false;
      const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
      if (decode(header)['alg'] !== 'RS256') return false;
      const signed = Buffer.from(`${header}.${payload}`);
      if (!verify('sha256', signed, publicKey, Buffer.from(signature, 'base64url'))) return false;
      const { iss, iat, exp } = decode(payload);
      const now = Date.now() / 1000;
      return String(iss) === fake.appId && Number(iat) <= now && Number(exp) > now && Number(exp) - Number(iat) <= 600;
    },
  };
  return fake;
}
