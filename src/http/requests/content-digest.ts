import { type Hash, createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../../errors.ts';

/** The algorithms of RFC 9530 that are still considered safe, by their names there. */
const ALGORITHMS: Readonly<Record<string, string>> = { 'sha-256': 'sha256', 'sha-512': 'sha512' };

export interface ExpectedDigest {
  algorithm: string;
  /** Base64. */
  value: string;
}

/**
 * The digests of a Content-Digest header (RFC 9530: `sha-256=:base64:`); unknown algorithms are ignored.
 * @throws AppError invalid_digest when it cannot be parsed or has no digest that can be checked
 */
function expectedDigests(header: string | string[] | undefined): ExpectedDigest[] {
  if (header === undefined) return [];
  const members = String(header)
    .split(',')
    .map((member) => /^\s*([a-z0-9-]+)=:([A-Za-z0-9+/]+={0,2}):\s*$/.exec(member));
  const found = members.flatMap((match) => {
    const algorithm = ALGORITHMS[match?.[1] ?? ''];
    return algorithm && match?.[2] ? [{ algorithm, value: match[2] }] : [];
  });
  if (members.includes(null) || found.length === 0) {
    throw new AppError('invalid_digest', 'Content-Digest must be like sha-256=:<base64>: (sha-256 or sha-512).', {
      field: 'Content-Digest',
    });
  }
  return found;
}

/** Checks a body in memory. @throws AppError invalid_digest, digest_mismatch */
export function digestBody(request: FastifyRequest, body: Uint8Array): void {
  const watch = watchDigest(request);
  watch?.update(body);
  watch?.check();
}

export interface DigestWatch {
  update(chunk: Uint8Array): void;
  /** @throws AppError digest_mismatch */
  check(): void;
}

/** Hashes a streamed body; undefined when the request has no Content-Digest. @throws AppError invalid_digest */
export function watchDigest(request: FastifyRequest): DigestWatch | undefined {
  const expected = expectedDigests(request.headers['content-digest']);
  if (expected.length === 0) return undefined;
  const hashes = expected.map(({ algorithm }): Hash => createHash(algorithm));
  return {
    update: (chunk) => hashes.forEach((hash) => hash.update(chunk)),
    check() {
      for (const [index, hash] of hashes.entries()) {
        if (hash.digest('base64') !== expected[index]?.value) {
          throw new AppError(
            'digest_mismatch',
            'The body does not have the digest that Content-Digest states; nothing was kept.',
            { field: 'Content-Digest' },
          );
        }
      }
    },
  };
}
