import type { DialectReader } from './generation-data.ts';

const JOB = /Job ID:\s?([0-9a-f-]{36})$/i;

/**
 * Reads Midjourney: `Description` has the prompt, the parameters as they were typed, and `Job ID:`. In JPEG it is the EXIF
 * description.
 */
export const readMidjourney: DialectReader = (texts) => {
  for (const name of ['Description', 'ImageDescription', 'description', 'COM']) {
    const text = texts.get(name)?.slice(0, MAX_TEXT).trim();
    const job = text === undefined ? null : JOB.exec(text);
    if (text === undefined || !job) continue;
    const [prompt = '', ...parameters] = ` ${text.slice(0, job.index)}`.split(/\s--(?=[a-z])/i);
    const found = new Map(parameters.map((each) => nameAndValue(each.trim())));
    const take = (...keys: string[]) => {
      const key = keys.find((each) => found.has(each));
      const value = key === undefined ? undefined : found.get(key);
      for (const each of keys) found.delete(each);
      return value;
    };
    const niji = take('niji');
    const version = niji ?? take('v', 'version');
    return {
      source: 'midjourney',
      prompt,
      negativePrompt: take('no'),
      seed: take('seed'),
      model: niji === undefined ? 'Midjourney' : 'Niji',
      version,
      parameters: { ...Object.fromEntries(found), jobId: job[1] ?? '' },
    };
  }
  return undefined;
};
const MAX_TEXT = 20_000;

/** `ar 16:9`, or `tile` alone. */
function nameAndValue(parameter: string): [string, string] {
  const space = parameter.search(/\s/);
  if (space < 0) return [parameter.toLowerCase(), 'true'];
  return [parameter.slice(0, space).toLowerCase(), parameter.slice(space).trim()];
}
