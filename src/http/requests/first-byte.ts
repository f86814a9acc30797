import type { Readable } from 'node:stream';
import { AppError } from '../../errors.ts';
import { type BodyRate, createBodyPace } from '../connections/minimum-rate.ts';

/**
 * Waits for the first byte of a body and unshifts it; false when the body ends without one.
 * @throws AppError request_timeout; the stream's error
 */
export async function firstByte(body: Readable, rate: BodyRate): Promise<boolean> {
  return createBodyPace(rate).wait(
    new Promise((resolve, reject) => {
      const settle = (settled: () => void) => {
        body.off('readable', look).off('end', end).off('error', fail).off('close', cut);
        settled();
      };
      const look = () => {
        const chunk = body.read() as Buffer | null;
        if (chunk === null) {
          if (body.readableEnded) end();
          return;
        }
        settle(() => {
          body.unshift(chunk);
          resolve(true);
        });
      };
      const end = () => settle(() => resolve(false));
      const fail = (error: Error) => settle(() => reject(error));
      const cut = () =>
        fail(new AppError('invalid_request', 'The connection was closed before the body was complete.'));
      if (body.readableEnded) resolve(false);
      else body.on('readable', look).once('end', end).once('error', fail).once('close', cut);
    }),
  );
}
