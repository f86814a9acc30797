import { codeOf } from '../../errors.ts';

/** The server, or its certificate, refuses the connection for a reason that an operator must correct. Its message says how. */
export class DatabaseRefused extends Error {
  override readonly name = 'DatabaseRefused';
  /** SQLSTATE: the connection cannot be established. */
  readonly code = '08001';
}

/** The database did not answer in time. The connection has been closed. */
export class DatabaseSilent extends Error {
  override readonly name = 'DatabaseSilent';
  readonly code = 'ETIMEDOUT';
}

const CHAIN =
  'give the certificate of its CA with sslrootcert=/path/ca.pem, or do without verification with sslmode=require';

/** Codes of a certificate that OpenSSL refuses, and the remedy. */
const CERTIFICATE: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: CHAIN,
  SELF_SIGNED_CERT_IN_CHAIN: CHAIN,
  UNABLE_TO_GET_ISSUER_CERT: CHAIN,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: CHAIN,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: CHAIN,
  CERT_SIGNATURE_FAILURE: CHAIN,
  CERT_UNTRUSTED: CHAIN,
  INVALID_CA: CHAIN,
  CERT_HAS_EXPIRED: 'renew it on the server',
  CERT_NOT_YET_VALID: "wait until it is valid, or correct this machine's clock",
  CERT_REVOKED: 'replace it on the server',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'connect by a name that it is issued for, or verify only its chain with sslmode=verify-ca',
};

/** Why no connection could be opened, as an operator needs it. An error that says nothing about the settings stays as it is. */
export function explainedFailure(error: Error, address: string): Error {
  const sentence = sentenceFor(error, address);
  if (sentence !== undefined) return new DatabaseRefused(sentence, { cause: error });
  // node-postgres's message for its own limit.
  return error.message === 'timeout expired'
    ? new DatabaseSilent('the database did not accept a connection in time', { cause: error })
    : error;
}

function sentenceFor(error: Error, address: string): string | undefined {
  const code = codeOf(error) ?? '';
  const { message } = error;
  const remedy = CERTIFICATE[code];
  if (remedy !== undefined)
    return `the certificate of the database server at ${address} is refused (${reason(error)}); ${remedy}`;
  if (message === 'The server does not support SSL connections')
    return `the database server at ${address} offers no TLS; turn it on there (ssl = on in postgresql.conf), or write sslmode=disable to do without`;
  if (message === 'There was an error establishing an SSL connection')
    return `the database server at ${address} does not answer a request for TLS as PostgreSQL does; correct the address, or write sslmode=disable`;
  if (/^(?:ERR_SSL|ERR_TLS|ERR_OSSL|EPROTO)/.test(code))
    return `TLS with the database server at ${address} fails (${reason(error)}); check its certificate and key, and sslcert and sslkey here`;
  if (code.startsWith('28'))
    return /no encryption|SSL off/.test(message)
      ? `the database server at ${address} refuses connections without TLS (${message}); add sslmode=require, or better sslmode=verify-full, to the URL`
      : `the database server at ${address} refuses the user or password (${message}); correct them. Special characters in the URL must be percent-encoded`;
  if (message.startsWith('SASL: ') || message.includes('password must be a string'))
    return `the database server at ${address} asks for a password, and the URL has none or a wrong one (${message})`;
  return code === '3D000'
    ? `the database server at ${address} has no such database (${message}); create it, or correct the name at the end of the URL`
    : undefined;
}

/** OpenSSL's messages end in lines of addresses in its source. */
function reason({ message }: Error): string {
  return message.split('\n', 1)[0]?.slice(0, 200) ?? '';
}
