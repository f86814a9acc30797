import type { JsonObject } from '../../json/json.ts';
import { asNumber } from '../../media/generation/loose-json.ts';
import type { AnswerOutput } from './answer.ts';
import { asObject, nonBlankText, withoutNulls } from './json-access.ts';

/** The file name, type and folder that an object tells of the file in it. */
export function namesOf(file: JsonObject): Partial<AnswerOutput> {
  const text = (...names: string[]) => names.map((name) => nonBlankText(file[name])).find((each) => each !== undefined);
  const name = text('name');
  const filename =
    text('filename', 'file_name', 'fileName') ?? (name !== undefined && /\.\w{2,12}$/.test(name) ? name : undefined);
  const contentType = text('content_type', 'contentType', 'mime_type', 'mimeType', 'media_type');
  const subfolder = text('subfolder');
  return {
    ...(filename !== undefined && { filename }),
    ...(contentType !== undefined && /^[\w.+-]+\/[\w.+-]+/.test(contentType) && { contentType }),
    ...(subfolder !== undefined && { subfolder }),
  };
}

/** When the address in an object stops working: ISO 8601, or seconds since 1970. */
export function expiryOf(object: JsonObject): string | undefined {
  const said = object['url_expires_at'] ?? object['urlExpiresAt'] ?? object['expires_at'] ?? object['expiresAt'];
  const time = typeof said === 'number' ? said * 1000 : typeof said === 'string' ? Date.parse(said) : Number.NaN;
  return time > 0 && time < MAX_TIME ? new Date(time).toISOString() : undefined;
}
const MAX_TIME = Date.parse('2200-01-01T00:00:00Z');

/** What an object says of the file in it. @param listed it is an entry of a list: its prompt is what was made of the request's */
export function factsOf(object: JsonObject, listed: boolean): JsonObject {
  const scalar = (...names: string[]) =>
    names
      .map((name) => object[name])
      .find((value) => typeof value === 'number' || (typeof value === 'string' && value !== ''));
  const duration = scalar('duration', 'duration_seconds');
  return {
    ...withoutNulls({
      seed: scalar('seed'),
      revisedPrompt: scalar(
        'revised_prompt',
        'revisedPrompt',
        'enhanced_prompt',
        'enhancedPrompt',
        'actual_prompt',
        'refined_prompt',
        ...(listed ? ['prompt'] : []),
      ),
      duration: asNumber(duration) ?? duration,
      cost: scalar('cost'),
      fps: scalar('fps'),
      frames: scalar('num_frames'),
      finishReason: scalar('finish_reason', 'finishReason'),
      node: scalar('node_id'),
    }),
    ...asObject(object['generation']),
  };
}
