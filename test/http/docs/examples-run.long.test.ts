import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DocumentShell, canRunCommands, inOneScript, startDocumentShell } from '../../support/document-shell.ts';

let shell: DocumentShell;
beforeAll(async () => {
  shell = await startDocumentShell();
});
afterAll(() => shell?.close());

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

/** What a reader copies from a page. */
const blocksOfPage = (page: string): string[] =>
  [...page.matchAll(/<pre><code>([^<]*)<\/code><\/pre>/g)].map(([, text = '']) =>
    text.replaceAll(/&(#?\w+);/g, (_entity, name: string) => ENTITIES[name] ?? ''),
  );

describe.runIf(canRunCommands)('the examples of the reference page', () => {
  test('work as they stand, from the top of the page to its end, and again', async () => {
    const { address } = shell.service;
    const blocks = blocksOfPage(await (await fetch(`${address}/docs`)).text());
    const { paths } = (await (await fetch(`${address}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, object>>;
    };
    const operations = Object.values(paths).flatMap((path) => Object.keys(path)).length;
    // The first one makes the tokens and the files.
    expect(blocks).toHaveLength(operations + 1);
    expect(blocks[0]).toContain(`API=${address}`);
    const script = inOneScript(blocks.map((text, index) => ({ place: `block ${index}`, text })));
    for (const attempt of ['first', 'second']) {
      const output = await shell.run(script);
      expect(output, attempt).toContain(`## block ${operations}`);
      expect(output, attempt).not.toContain('undefined');
      expect(output, attempt).not.toContain('"problem"');
    }
  });
});
