/** What one check found. `wrong` must be mended; `warning` is worth a look. */
export interface Finding {
  check: string;
  state: 'ok' | 'warning' | 'wrong';
  /** What was found, and for `warning` and `wrong` what to do. */
  message: string;
}

const finding =
  (state: Finding['state']) =>
  (check: string, message: string): Finding => ({ check, state, message });

export const ok = finding('ok');
export const warning = finding('warning');
export const wrong = finding('wrong');

const CHECK_MS = 15_000;

/** Runs a check; an error, or no answer within 15 s, is something wrong. */
export async function inspect(check: string, work: () => Promise<Finding | Finding[]>): Promise<Finding[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Finding>((resolve) => {
    timer = setTimeout(() => resolve(wrong(check, `no answer within ${CHECK_MS / 1000} s`)), CHECK_MS);
  });
  try {
    return [await Promise.race([work(), late])].flat();
  } catch (error) {
    return [wrong(check, error instanceof Error ? error.message : String(error))];
  } finally {
    clearTimeout(timer);
  }
}
