import { constants } from 'node:os';
import { type Files, systemFiles, withFreshLookups } from '../../../src/storage/local/files.ts';

/** An error as Node makes it; it has no name for some, such as ESTALE. */
function systemError(name: string, call: string): Error {
  const errno = -(constants.errno as Record<string, number>)[name]!;
  const code = ['ESTALE', 'EDQUOT', 'ENOLINK'].includes(name) ? `Unknown system error ${errno}` : name;
  return Object.assign(new Error(`${code}: ${call}`), { code, errno, syscall: call });
}

type Call = (...args: unknown[]) => Promise<unknown>;
/** A call of the file system (`link`), or of an open file (`open.read`), and its path. */
export type Around = (call: string, path: string, work: () => Promise<unknown>) => Promise<unknown>;

/** The real file system, with something done around each call. */
export function filesAround(around: Around): Files {
  const entries = Object.entries(systemFiles).map(([name, call]) => [
    name,
    async (...args: unknown[]) => {
      const file = String(args[0]);
      const result = await around(name, file, () => (call as Call)(...args));
      return name === 'open' ? handleAround(result as object, file, around) : result;
    },
  ]);
  return withFreshLookups(Object.fromEntries(entries) as Files);
}

function handleAround(handle: object, file: string, around: Around): object {
  return new Proxy(handle, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => around(`open.${String(name)}`, file, () => (value as Call).apply(target, args));
    },
  });
}

/** The real file system, in which `failing` names the error of a call; undefined: it works. */
export function failingFiles(failing: (call: string, path: string) => string | undefined): Files {
  return filesAround(async (call, path, work) => {
    const name = failing(call, path);
    if (name !== undefined) throw systemError(name, call);
    return work();
  });
}
