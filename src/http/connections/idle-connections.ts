import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Replaces the server's `closeIdleConnections`. Node's own considers a response finished once its last chunk is queued, and
 * destroys what a slow reader has not received yet; here a connection is idle only when all bytes were handed to the system.
 */
export function closeOnlyIdleConnections(server: Server): void {
  const running = new Map<Socket, number>();
  const count = (socket: Socket, change: number) => {
    const before = running.get(socket);
    if (before !== undefined) running.set(socket, before + change);
  };
  server.on('connection', (socket: Socket) => {
    running.set(socket, 0);
    socket.once('close', () => running.delete(socket));
  });
  server.prependListener('request', (request, response) => {
    const { socket } = request;
    count(socket, 1);
    response.once('close', () => count(socket, -1));
  });
  server.closeIdleConnections = () => {
    for (const [socket, answers] of running) if (answers === 0 && socket.writableLength === 0) socket.destroy();
  };
}
