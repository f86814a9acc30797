import { findProvider } from '../providers/registry.ts';

/**
 * When a URL expires: as its signature says (S3, Google, CloudFront, Azure), else after its provider's usual lifetime.
 * @param options `provider`: its name; `since`: when the job ended, from which the lifetime counts
 * @returns undefined when that is unknown
 */
export function urlExpiresAt(
  url: string,
  { provider, since = new Date() }: { provider?: string | undefined; since?: Date | undefined } = {},
): Date | undefined {
  if (!URL.canParse(url)) return undefined;
  const query = new URLSearchParams(
    [...new URL(url).searchParams].map(([name, value]): [string, string] => [name.toLowerCase(), value]),
  );
  const said =
    signedFor(query.get('x-amz-date'), query.get('x-amz-expires')) ??
    signedFor(query.get('x-goog-date'), query.get('x-goog-expires')) ??
    epoch(query.get('expires')) ??
    time(query.get('se'));
  if (said) return said;
  const lifetime = provider === undefined ? undefined : findProvider(provider)?.urlLifetimeMs;
  return lifetime === undefined ? undefined : new Date(since.getTime() + lifetime);
}

/** A date like `20261121T080000Z` and a number of seconds after it. */
function signedFor(date: string | null, seconds: string | null): Date | undefined {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date ?? '') ?? [];
  if (year === undefined || !/^\d{1,9}$/.test(seconds ?? '')) return undefined;
  return valid(Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) + Number(seconds) * 1000);
}

/** Seconds since 1970, as CloudFront, S3 and Google sign; some services send an RFC 3339 time under the same name. */
function epoch(text: string | null): Date | undefined {
  return text !== null && /^\d{9,11}$/.test(text) ? valid(Number(text) * 1000) : time(text);
}

function time(text: string | null): Date | undefined {
  return text !== null && /^\d{4}-\d\d-\d\d/.test(text) ? valid(Date.parse(text)) : undefined;
}

function valid(ms: number): Date | undefined {
  return Number.isFinite(ms) && Math.abs(ms) < 253_402_300_799_000 ? new Date(ms) : undefined;
}
