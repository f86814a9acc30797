import { asObject, asArray, nonBlankText } from './json-access.ts';
import type { Json, JsonObject } from '../../json/json.ts';

/** Images that a front end received in parts and sends to be stored. */
export interface SavedImages {
  jobId: string | undefined;
  prompt: string | undefined;
  /** The body in the form of a RunPod handler's answer. */
  response: JsonObject;
}

const BYTES = ['data', 'imageData', 'image_data', 'base64', 'url', 'imageUrl', 'awsS3Url', 'aws_s3_url'];
const PLACES = ['s3Key', 's3_key', 'awsS3Key', 'aws_s3_key', 'networkVolumePath', 'network_volume_path', ...BYTES];

/** Reads `{jobId, image}`, `{jobId, images}`, `{jobId, imageData}`, or the fields of one image at the top level. */
export function savedImages(body: unknown): SavedImages {
  const top = asObject(body);
  const nested = [top['image'], top['imageData'], top['data']].filter(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  );
  const listed = asArray(top['images']);
  const flat = PLACES.some((name) => nonBlankText(top[name]) !== undefined) || nonBlankText(top['image']) !== undefined;
  const images = listed.length > 0 ? listed : nested.length > 0 ? nested : flat ? [top] : [];
  const ids = [top, ...images].flatMap((value) => [
    nonBlankText(asObject(value)['jobId']),
    nonBlankText(asObject(value)['job_id']),
  ]);
  const jobId = ids.find((id) => id !== undefined);
  return {
    jobId,
    prompt: nonBlankText(top['prompt']),
    response: {
      ...(jobId !== undefined && { job_id: jobId }),
      status: nonBlankText(top['status']) ?? 'IN_PROGRESS',
      images: images.map((image) => toImage(image ?? null)),
    },
  };
}

function toImage(value: Json): Json {
  const image = asObject(value);
  const data = [...BYTES, 'image'].map((name) => nonBlankText(image[name])).find((text) => text !== undefined);
  return { ...image, ...(data !== undefined && { data }) };
}
