const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

/** A setting's value as messages show it: URLs lose user, password and query, which may be secret. Lists of URLs too. */
export function shownValue(value: string): string {
  const entries: string[] = [];
  for (const part of value.split(',')) {
    // A comma inside of a password does not begin another URL.
    if (entries.length > 0 && !SCHEME.test(part.trim())) entries.push(`${entries.pop()},${part}`);
    else entries.push(part.trim());
  }
  return entries.map(shownEntry).join(', ');
}

function shownEntry(entry: string): string {
  const [scheme] = SCHEME.exec(entry) ?? [];
  if (scheme === undefined) return entry;
  const rest = entry.slice(scheme.length);
  // A password may hold any character, even '/', so what precedes the last '@' is hidden.
  const at = rest.lastIndexOf('@');
  const place = rest
    .slice(at + 1)
    .split(/[?#]/, 1)
    .join('');
  return `${scheme}${at === -1 ? '' : '(hidden)@'}${place}`;
}
