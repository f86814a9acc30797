import type { IncomingHttpHeaders } from 'node:http';

/** What a client may have of a file: its entity tag, and when it came, in milliseconds. */
export interface Validators {
  etag: string;
  modified: number;
}

/** Whether a list of entity tags has ours; weak comparison (RFC 9110, 13.1.2). */
export function matchesEtag(header: string, etag: string): boolean {
  if (header.trim() === '*') return true;
  return header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}

function matchesStrongly(header: string, etag: string): boolean {
  if (header.trim() === '*') return true;
  return header.split(',').some((tag) => tag.trim() === etag);
}

/** Dates in headers have no fraction of a second. An unreadable one is ignored. */
function secondsOf(header: string | undefined): number | undefined {
  const time = header === undefined ? Number.NaN : Date.parse(header);
  return Number.isNaN(time) ? undefined : Math.floor(time / 1000);
}

/**
 * What the conditions of a GET or HEAD decide (RFC 9110, 13.2.2): go on, 412, or 304. Tags win over dates.
 */
export function checkConditions(
  headers: IncomingHttpHeaders,
  { etag, modified }: Validators,
): 'continue' | 'failed' | 'unmodified' {
  const changed = Math.floor(modified / 1000);
  const match = headers['if-match'];
  if (match === undefined) {
    const unmodifiedSince = secondsOf(headers['if-unmodified-since']);
    if (unmodifiedSince !== undefined && changed > unmodifiedSince) return 'failed';
  } else if (!matchesStrongly(match, etag)) return 'failed';
  const noneMatch = headers['if-none-match'];
  if (noneMatch !== undefined) return matchesEtag(noneMatch, etag) ? 'unmodified' : 'continue';
  const modifiedSince = secondsOf(headers['if-modified-since']);
  return modifiedSince !== undefined && changed <= modifiedSince ? 'unmodified' : 'continue';
}

/**
 * Whether an If-Range header allows a part: strong comparison, so a weak tag never does (RFC 9110, 13.1.5). A date must be ours; the
 * bytes never change, so it is as good as a tag.
 */
export function allowsRange(header: string | undefined, { etag, modified }: Validators): boolean {
  if (header === undefined || header.trim() === etag) return true;
  return !header.includes('"') && secondsOf(header) === Math.floor(modified / 1000);
}
