/** Whether a value is an object as JSON has it: no class, stream, buffer or date. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Says that a walk met more values, or deeper ones, than it may. */
class WalkTooLong extends RangeError {}

export interface WalkBounds {
  /** Levels below the first value. */
  depth: number;
  /** Values of any kind. */
  values: number;
}

/**
 * Visits every value of plain data, parents first; iterative, because the depth is the sender's choice. It enters arrays and plain
 * objects alone: a stream or a socket that has slipped in is one value.
 * @param visit gets each value and its depth, 1 for the first one
 * @throws WalkTooLong beyond the bounds
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
