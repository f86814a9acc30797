/** Exit codes. */
export const EXIT = { done: 0, failed: 1, usage: 2, partly: 3, dependencyDown: 4, interrupted: 130 } as const;
