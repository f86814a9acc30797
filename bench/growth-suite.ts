import { existsSync } from 'node:fs';
import type { Stage } from './stage.ts';
import type { Section } from './suite.ts';

const FILE = new URL('growth.ts', import.meta.url);

/** How queries fare as the table grows; measured by bench/growth.ts. */
export async function growthSuite(stage: Stage): Promise<Section> {
  const title = 'Growth';
  if (!existsSync(FILE)) return { title, about: 'Not measured yet.' };
  const { growth } = (await import(FILE.href)) as {
    growth(options: { log: (line: string) => void }): Promise<string>;
  };
  return { title, about: 'The same queries on tables of different sizes.', text: await growth({ log: stage.log }) };
}
