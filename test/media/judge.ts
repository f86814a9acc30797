import { EmbeddedTexts } from '../../src/media/embedded-texts.ts';
import { findWorkflow, type Workflow } from '../../src/media/generation/find-workflow.ts';
import { readGeneration } from '../../src/media/generation/read-generation.ts';
import { createInspector, createTextReader, type Inspection } from '../../src/media/inspect/inspect.ts';
import { mediaTypeByExtension, type MediaType } from '../../src/media/media-type.ts';
import { MAX_HEAD_BYTES, sniff, type SniffResult } from '../../src/media/sniff/sniff.ts';

/** Sniffs a file as a caller does: 64 KiB first, then as much as is asked for. */
export async function sniffFile(file: Uint8Array, filename?: string, declaredType?: string): Promise<SniffResult> {
  for (let given = 64 * 1024; ;) {
    const head = file.subarray(0, given);
    const result = await sniff(head, { complete: given >= file.length, filename, declaredType });
    if (result.kind !== 'more') return result;
    if (result.bytes <= given || result.bytes > MAX_HEAD_BYTES)
      throw new Error(`asks for ${result.bytes} after ${given}`);
    given = result.bytes;
  }
}

/** The sniffed extension, or `unknown` and what it seems to be. */
export async function extensionOf(file: Uint8Array, filename?: string, declaredType?: string): Promise<string> {
  const result = await sniffFile(file, filename, declaredType);
  if (result.kind === 'media') return result.type.ext;
  return result.kind === 'unknown' && result.detected !== undefined ? `unknown ${result.detected}` : 'unknown';
}

/** Inspects a file in chunks of `chunk` bytes; each is overwritten afterwards, so that keeping one would show. */
export function inspectFile(file: Uint8Array, type: MediaType, chunk = 1024): Inspection | string {
  const inspector = createInspector(type);
  for (let at = 0; at < file.length; at += chunk) {
    const part = file.slice(at, at + chunk);
    inspector.push(part);
    part.fill(0xaa);
  }
  const result = inspector.finish();
  return result.ok ? result.inspection : result.reason;
}

/** How a file says that it was generated. */
export function generationIn(file: Uint8Array, ext: string, chunk = 1024): Inspection['generation'] {
  const result = inspectFile(file, typeOf(ext), chunk);
  if (typeof result === 'string') throw new Error(result);
  return result.generation;
}

/** What these texts say, whatever file they come from. */
export function said(texts: Readonly<Record<string, string>>): Inspection['generation'] {
  const found = new EmbeddedTexts();
  for (const [name, text] of Object.entries(texts)) found.add(name, text);
  return readGeneration(found);
}

/** The workflow in a file, as the workflow route finds it. */
export function workflowIn(file: Uint8Array, ext: string, chunk = 1024): Workflow | undefined {
  const reader = createTextReader(typeOf(ext));
  if (!reader) throw new Error(`${ext} is read for no texts`);
  for (let at = 0; at < file.length; at += chunk) reader.push(file.slice(at, at + chunk));
  return findWorkflow(reader.end());
}

function typeOf(ext: string): MediaType {
  const type = mediaTypeByExtension(ext);
  if (!type) throw new Error(`there is no type ${ext}`);
  return type;
}
