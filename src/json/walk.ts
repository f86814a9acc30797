/** Whether a value is a plain object, not a class instance such as a stream, buffer or date. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** A walk exceeded its limits. */
class WalkTooLong extends RangeError {}

export interface WalkBounds {
  /** Most levels below the first value. */
  depth: number;
  /** Most values of any kind. */
  values: number;
}

/**
 * Visits every value of plain data, parents first. Iterative, because the sender chooses the depth. Only arrays and plain objects are
 * entered; a stream or socket counts as one value.
 * @param visit called with each value and its depth, which is 1 for the first
 * @throws WalkTooLong beyond `bounds`
 */
export function walkPlain(value: unknown, bounds: WalkBounds, visit: (value: unknown, depth: number) => void): void {
  const left: { value: unknown; depth: number }[] = [{ value, depth: 1 }];
  let values = 0;
  for (let next = left.pop(); next; next = left.pop()) {
    values += 1;
    if (values > bounds.values) throw new WalkTooLong(`more than ${bounds.values} values`);
    if (next.depth > bounds.depth) throw new WalkTooLong(`more than ${bounds.depth} levels`);
    visit(next.value, next.depth);
    const { value: current, depth } = next;
    if (Array.isArray(current)) for (const entry of current) left.push({ value: entry, depth: depth + 1 });
    else if (isPlainObject(current))
      for (const name of Object.keys(current)) left.push({ value: current[name], depth: depth + 1 });
  }
}
