import pg from 'pg';

/**
 * Connections for the job queue, with times as it expects them. Its own pool is not closed yet when it says that it has stopped, and
 * the loss of a connection then ends the process.
 */
export function openJobPool(connectionString: string, max: number, onError: (error: Error) => void): pg.Pool {
  const pool = new pg.Pool({ connectionString, max, application_name: 'mediakeep jobs', keepAlive: true });
  pool.on('error', onError);
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}
