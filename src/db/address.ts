import pg from 'pg';

/** Host and port of a database, or the folder of its socket, for messages. Never shows user or password. */
export function databaseAddress(connectionString: string): string {
  const { host, port } = new pg.Client({ connectionString });
  if (host.startsWith('/')) return `the socket in ${host}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
