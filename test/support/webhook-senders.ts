import { type KeyObject, createHash, generateKeyPairSync, sign } from 'node:crypto';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

/** A secret of Standard Webhooks. */
export const SIGNING_SECRET = 'whsec_dGhlLXNlY3JldC1vZi10aGUtdGVzdHM=';

let messages = 0;

/** The headers of a webhook signed by Standard Webhooks; each call is another message. */
export function standardHeaders(body: string, id = `msg_${(messages += 1)}`): Record<string, string> {
  const at = new Date();
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(SIGNING_SECRET).sign(id, at, body),
  };
}

/** Imitates FAL: one key pair that signs for all of its accounts, and the URL of its public key. */
export interface FalSender {
  jwksUrl: string;
  headers(body: string, requestId: string, account: string): Record<string, string>;
  close(): void;
}

export async function startFalSender(): Promise<FalSender> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const server = await serveKey(publicKey);
  return {
    jwksUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
    headers(body, requestId, account) {
      const timestamp = String(Math.floor(Date.now() / 1000));
      const digest = createHash('sha256').update(body).digest('hex');
      const signature = sign(null, Buffer.from([requestId, account, timestamp, digest].join('\n')), privateKey);
      return {
        'content-type': 'application/json',
        'x-fal-webhook-request-id': requestId,
        'x-fal-webhook-user-id': account,
        'x-fal-webhook-timestamp': timestamp,
        'x-fal-webhook-signature': signature.toString('hex'),
      };
    },
    close: () => void server.close(),
  };
}

async function serveKey(key: KeyObject): Promise<Server> {
  const server = createServer((_request, response) => {
    response.end(JSON.stringify({ keys: [key.export({ format: 'jwk' })] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
