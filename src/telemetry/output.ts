import { writeSync } from 'node:fs';

const STDOUT = 1;
const STDERR = 2;
/** A reader that is merely slow gets this long. */
const WAIT_MS = 5;
const WAITS = 40;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes to standard output, at once. It never throws: a reader that is gone, a full disk or a stalled pipe must not stop the
 * service. When the reader is gone, standard error takes its place. Lines that could not be written are counted, and the next one
 * that can be is preceded by their number.
 */
export class Output {
  #fd: number | undefined;
  #lost = 0;
  #cause = '';
  /** The last write ended within a line. */
  #broken = false;

  constructor(fd: 1 | 2 = STDOUT) {
    this.#fd = fd;
  }

  /** @param text one line or several, with a newline at the end */
  write(text: string): void {
    if (this.#fd === undefined) return;
    const start = this.#broken ? '\n' : '';
    const note = this.#lost > 0 ? `${line(`${this.#lost} lines of the log were lost (${this.#cause})`)}\n` : '';
    this.#send(this.#fd, Buffer.from(start + note + text));
  }

  #send(fd: number, bytes: Buffer): void {
    let written = 0;
    // While lines are being lost, none is waited for.
    let waits = this.#lost > 0 ? 0 : WAITS;
    while (written < bytes.length) {
      try {
        written += writeSync(fd, bytes, written);
      } catch (error) {
        const { code = 'unknown' } = error as NodeJS.ErrnoException;
        if (code === 'EINTR') continue;
        if (code === 'EAGAIN' && waits > 0) {
          waits -= 1;
          Atomics.wait(sleeper, 0, 0, WAIT_MS);
          continue;
        }
        this.#failed(fd, code, bytes, written);
        return;
      }
    }
    this.#lost = 0;
    this.#broken = false;
  }

  #failed(fd: number, code: string, bytes: Buffer, written: number): void {
    if (code !== 'EPIPE' && code !== 'EBADF') {
      this.#lost += 1;
      this.#cause = code;
      if (written > 0) this.#broken = true;
      return;
    }
    this.#fd = fd === STDOUT ? STDERR : undefined;
    if (this.#fd === undefined) return;
    this.#lost = 0;
    this.#broken = false;
    this.#send(this.#fd, Buffer.from(`${line('standard output is closed; the log goes on here')}\n`));
    if (this.#fd === STDERR) this.#send(STDERR, bytes);
  }
}

/** As pino writes it. */
function line(msg: string): string {
  return JSON.stringify({ level: 40, time: Date.now(), pid: process.pid, msg });
}
