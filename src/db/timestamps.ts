const PG_TIME = /^(\d{4})-(\d\d)-(\d\d) (\d\d:\d\d:\d\d)(\.\d{1,6})?([+-]\d\d)(?::?(\d\d))?/;

const UTC = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00$/;

/**
 * PostgreSQL's text of a timestamptz as RFC 3339 in UTC, with all its digits (`2026-11-21T01:55:37.123456Z`); null for what RFC
 * 3339 cannot express (`infinity`, years before 0 or after 9999).
 */
export function toIsoTime(text: string | null): string | null {
  // Fast path for our connections, which use UTC; a listing has hundreds.
  if (text !== null && UTC.test(text)) {
    const digits = text.slice(20, -3).padEnd(3, '0');
    return `${text.slice(0, 10)}T${text.slice(11, 19)}.${digits}Z`;
  }
  const match = text === null || text.endsWith('BC') ? null : PG_TIME.exec(text);
  if (!match) return null;
  const [, year, month, day, clock, fraction, hours, minutes] = match;
  const seconds = Date.parse(`${year}-${month}-${day}T${clock}${hours}:${minutes ?? '00'}`);
  if (Number.isNaN(seconds)) return null;
  const digits = (fraction ?? '.').slice(1).padEnd(3, '0');
  return `${new Date(seconds).toISOString().slice(0, 19)}.${digits}Z`;
}

/** The same for a time that every row should have; an older system's row may lack it or have one that RFC 3339 cannot express. */
export function recordedAt(text: string | null): string {
  return toIsoTime(text) ?? '1970-01-01T00:00:00.000Z';
}
