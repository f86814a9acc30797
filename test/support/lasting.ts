/** A value of `Cache-Control` without the seconds for which a signed URL still works: they fall while a test runs. */
export const withoutSeconds = (value: unknown): string =>
  String(value).replace(/^private, max-age=(8\d\d|900)$/, 'private, max-age=…');
