import { existsSync } from 'node:fs';
import type { Stage } from './stage.ts';
import type { Section } from './suite.ts';

const FILE = new URL('growth.ts', import.meta.url);

/** How queries scale as the table grows; measured by bench/growth.ts, with separate databases. */
export async function growthSuite(stage: Stage): Promise<Section> {
  const title = 'Growth';
  if (!existsSync(FILE)) return { title, about: 'Not measured yet.' };
  const { growth } = (await import(FILE.href)) as {
    growth(options: { onProgress: (message: string) => void }): Promise<string>;
  };
  const text = await growth({ onProgress: stage.log });
  return { title, about: 'The same calls on tables of different sizes, one at a time.', text };
}
