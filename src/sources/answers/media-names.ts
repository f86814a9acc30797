import type { Json, JsonObject } from '../../json/json.ts';
import { asObject } from './json-access.ts';

/** Fields in which an answer repeats its request. */
const ECHO =
  /^(inputs?|init|source|reference|references|refs?|control|conditioning|original|prompts?|negative|params?|parameters|args|arguments|requests?|parent|task_info|keyframes?|timeline|modifications|job_input|user_input|(start|end|first)_(frame|image)|last_image|(image|video|audio|style|subject|character|content)_(refs?|references?|prompts?|inputs?))(_|$)/;
/** Fields about the job rather than its results. */
const ABOUT =
  /^(logs?|webhook|callback|traceback|annotations|citations|workflow|config|settings|loras?|checkpoint|model|metadata|user|endpoint|upload|put|dashboard|docs?|documentation|homepage|fetch|grounding|sources|search|license|status_url|cancel_url|response_url|polling_url)(_|$)|_config$/;
/** Addresses to look at, not to download. */
const VIEW = /(^|_)(stream|streaming|hls|dash)(_|$)|(^|_)(page|share|html|help|support)_(urls?|links?)$/;
/** Exceptions from `ABOUT`: these hold outputs of 3D models. */
const MODEL_FILE = /^model_(urls?|mesh(es)?|glb|files?|data|base64)$/;
const ERROR =
  /^(errors?|err|exception|failures?|failed|failure_reason|fail_reason|payload_error|execution_error|warnings?)(_|$)/;
/** What providers send of a result that is still being made. */
const DRAFT = /(^|_)(partial|intermediate|latent)(_|$)|^(current_image|progress_(image|video))(_|$)/;

export type Reason = 'echo' | 'about' | 'view' | 'error' | 'draft';

/** Why what stands in a field is no output. Undefined: it may be one. */
export function reasonAgainst(name: string, value: Json): Reason | undefined {
  if (ECHO.test(name) && name !== 'prompt_feedback') return 'echo';
  // Replicate's `urls` object links to the prediction itself; a list of `urls` holds outputs.
  if (name === 'urls' && !Array.isArray(value)) return 'about';
  if (ABOUT.test(name) && !MODEL_FILE.test(name)) return 'about';
  if (VIEW.test(name)) return 'view';
  if (ERROR.test(name) || (/^details?$/.test(name) && isErrorDetail(value))) return 'error';
  return DRAFT.test(name) ? 'draft' : undefined;
}

/** `detail` and `details` say what was wrong, or tell more of a result. */
function isErrorDetail(value: Json): boolean {
  const entries = Array.isArray(value) ? value : [value];
  return entries.some(
    (entry) => typeof entry === 'string' || ['msg', 'loc', 'message', 'error'].some((name) => name in asObject(entry)),
  );
}

/** Names of the fields whose addresses are files, whatever their ending. */
export const NAMES_MEDIA =
  /(^|_)(urls?|uris?|images?|img|pictures?|photos?|videos?|movies?|clips?|audios?|sounds?|songs?|tracks?|music|speech|gifs?|files?|mesh(es)?|glb|gltf|obj|fbx|usd[acz]?|stl|ply|dae|3mf|blend|spz|k?splats?|exr|hdr|results?|outputs?|media|src|href|link|download|artifacts?|samples?|generated|creations?|resource|blob|data|thumbnails?|previews?|covers?|posters?|frames?|renders?|textures?|assets?)(_|$)/;
export const NAMES_BYTES = /(^|_)(b64|base64|bytes|hex)(_|$)/;

const PLACE =
  /(?:^|_)(?:urls?|uris?|href|src|links?|data|base64|b64|b64_json|bytes|bytes_base64_encoded|encoded|hex|content)$/;
/** Words for another address of the same file. */
export const MIRROR = /(?:^|_)(?:temporary|temp|proxy|mirror|backup|discord)(?:_|$)/;
/** A copy for show; another field has the file itself. */
export const WATERMARKED = /(^|(?<!without|no|remove)_)watermark(ed)?(_|$)/;
/** Words before `_url` and the like that name no file of their own: beside one another they lead to the same file. */
const PLAIN =
  /^(file|download|backup_download|backup|gcs|signed|presigned|public|permanent|temporary|cdn|s3|storage|hosted|direct|proxy|mirror|media|output|result|asset|raw|full|(s3_|network_volume_|file_|storage_)?(path|key))?$/;

/**
 * The file that a field is about: `image` for `image`, `image_url` and `images_base64`, nothing for `url`, `data` or `download_url`. Fields
 * of one object about the same file are places of the same bytes.
 */
export function fileOf(name: string): string {
  const stem = name
    .replace(PLACE, '')
    .replace(PLACE, '')
    .replace(/^(temporary|temp|proxy|mirror|backup|discord)_/, '')
    .replace(/s$/, '');
  return PLAIN.test(stem) ? '' : stem;
}

/** `imageUrl` and `image-url` as `image_url`. */
export function snake(name: string): string {
  return name
    .slice(0, 100)
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toLowerCase();
}

/** Whether the object is a draft on the way to a result, by what it says of itself. */
export function isDraft(object: JsonObject): boolean {
  const { type, thought } = object;
  return (
    thought === true ||
    (typeof type === 'string' && (type === 'temp' || type === 'thought' || type.endsWith('partial_image')))
  );
}

/** Whether the object is a part of the request that the answer repeats, by what it says of itself. */
export function isRequest({ type, role }: JsonObject): boolean {
  return (
    role === 'user' ||
    role === 'system' ||
    (typeof type === 'string' && /^(user_input|input_(image|video|audio|file))$/.test(type))
  );
}
