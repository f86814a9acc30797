import { closestMatch } from 'leven';

/** Longer names are no typing errors, and comparing them takes time. */
const MAX_LENGTH = 64;

/** The known name that a person who wrote `name` probably meant: `tag` for `tags`, `userId` for `user_id`. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > MAX_LENGTH) return undefined;
  const plain = new Map(known.map((each) => [plainForm(each), each]));
  const form = plainForm(name);
  const exact = plain.get(form);
  if (exact !== undefined) return exact;
  const close = closestMatch(form, [...plain.keys()], { maxDistance: form.length < 5 ? 1 : 2 });
  return close === undefined ? longer(name, known) : plain.get(close);
}

/** A name that begins or ends with this word: `toolName` for `tool`, `mediaType` for `type`. */
function longer(word: string, known: readonly string[]): string | undefined {
  if (!/^[a-z]{3,}$/.test(word)) return undefined;
  const end = word.charAt(0).toUpperCase() + word.slice(1);
  return (
    known.find((name) => name.startsWith(word) && /^[A-Z]/.test(name.slice(word.length))) ??
    known.find((name) => name.endsWith(end))
  );
}

/** Spellings that differ in case, separators and brackets are one name. */
function plainForm(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}
