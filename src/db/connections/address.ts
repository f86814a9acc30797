import pg from 'pg';
import { connectionConfig } from './connection-url.ts';

/** Host and port of a database, or the folder of its socket, for messages. Never shows user or password. */
export function databaseAddress(connectionString: string): string {
  return addressOf(new pg.Client(connectionConfig(connectionString)));
}

export function addressOf({ host, port }: { host: string; port: number }): string {
  if (host.startsWith('/')) return `the socket in ${host}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
