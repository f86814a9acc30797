/** Values that Python's `json` writes although they are not JSON, and integers with more digits than a double keeps. */
const NEEDS_REPAIR = /NaN|Infinity|\d{16}/;

/**
 * Turns Python's output into valid JSON: `NaN`, `Infinity` and `-Infinity` outside strings become `null`. With
 * `quoteIntegers`, integers beyond 2^53 become strings, since parsing would round them.
 */
export function repairJson(text: string, { quoteIntegers }: { quoteIntegers: boolean }): string {
  if (!NEEDS_REPAIR.test(text)) return text;
  const parts: string[] = [];
  let copied = 0;
  const token = /"|-?(?:NaN|Infinity)\b|-?\d[\d.eE+-]*/g;
  for (let match = token.exec(text); match; match = token.exec(text)) {
    const [word] = match;
    if (word === '"') {
      token.lastIndex = endOfText(text, match.index + 1);
      continue;
    }
    const long = quoteIntegers && word.length >= 16 && /^-?\d+$/.test(word) && !Number.isSafeInteger(Number(word));
    const instead = /[NI]/.test(word) ? 'null' : long ? `"${word}"` : undefined;
    if (instead === undefined) continue;
    parts.push(text.slice(copied, match.index), instead);
    copied = token.lastIndex;
  }
  return parts.join('') + text.slice(copied);
}

/** The index after the closing quote of the string that begins at `at`. */
function endOfText(text: string, at: number): number {
  for (let quote = text.indexOf('"', at); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let slashes = 0;
    while (text[quote - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return quote + 1;
  }
  return text.length;
}
