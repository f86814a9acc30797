export interface ProgressBar {
  update(done: number, note: string): void;
  /** Clears the line. */
  end(): void;
}

const WIDTH = 30;
const REDRAW_MS = 100;

/** A line that redraws itself on a terminal; prints nothing elsewhere, so that logs stay readable. */
export function createProgressBar(total: number, out: NodeJS.WriteStream = process.stderr): ProgressBar {
  if (!out.isTTY) return { update() {}, end() {} };
  let drawn = 0;
  return {
    update(done, note) {
      const now = Date.now();
      if (done < total && now - drawn < REDRAW_MS) return;
      drawn = now;
      const filled = total === 0 ? WIDTH : Math.round((WIDTH * done) / total);
      const line = `[${'#'.repeat(filled)}${'-'.repeat(WIDTH - filled)}] ${done}/${total} ${note}`;
      out.write(`\r\u001b[K${line.slice(0, Math.max(20, out.columns - 1))}`);
    },
    end() {
      out.write('\r\u001b[K');
    },
  };
}
