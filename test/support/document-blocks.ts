/** A fenced block of a Markdown document. */
export interface Block {
  /** What follows the fence: `sh`, `js`, … */
  language: string;
  text: string;
  /** Of its first line in the document. */
  line: number;
  /** What an HTML comment on the line above says, like `file: token.mjs`. */
  note?: string;
}

/** The fenced blocks of a Markdown document, in order. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split('\n');
  for (let at = 0; at < lines.length; at += 1) {
    const fence = /^```(\w*)$/.exec(lines[at] ?? '');
    if (!fence) continue;
    const end = lines.indexOf('```', at + 1);
    if (end < 0) throw new Error(`The block of line ${at + 1} has no end`);
    const note = /^<!-- (.+) -->$/.exec(lines[at - 1] ?? '')?.[1];
    blocks.push({
      language: fence[1] ?? '',
      text: lines.slice(at + 1, end).join('\n'),
      line: at + 2,
      ...(note !== undefined && { note }),
    });
    at = end;
  }
  return blocks;
}
