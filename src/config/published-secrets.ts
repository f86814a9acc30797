/** Secrets that stand in this repository: in its examples, now or formerly, and in its tests. */
const PUBLISHED = new Set(['test-secret-test-secret-test-secret-0123', 'a-secret-for-this-guide']);
/** A placeholder of an example that was not replaced. */
const PLACEHOLDER = /change[-_ ]?(me|this)|your[-_ ](jwt[-_ ])?secret|replace[-_ ](me|this)/i;

/** Whether anyone can read this secret in this repository. */
export function isPublished(secret: string): boolean {
  return PUBLISHED.has(secret) || PLACEHOLDER.test(secret);
}
