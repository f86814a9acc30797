import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until `condition` returns something truthy, and returns that. */
export async function until<T>(condition: () => Promise<T | undefined | false>, seconds = 15): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await condition();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > end) throw new Error(`not within ${seconds} s`);
    await sleep(25);
  }
}
