import { isBlend, is3mf, isUsdc } from './scene-structure.ts';
import { isKsplat, isSplat, isSpz } from './splat-structure.ts';
import { isDds, isExr, isKtx, isKtx2, isQoi, isRadiance } from './texture-structure.ts';
import { isTransportStream } from './transport-structure.ts';
import { tgaHeader } from '../inspect/textures.ts';

interface Sniffed {
  head: Uint8Array;
  /** `head` is the whole file. */
  complete: boolean;
  /** No more bytes can be requested. */
  final: boolean;
  /** The extension of the file's name or declared type. */
  named: string | undefined;
}

/** The extension of a texture, scene or stream with a signature; `more`: more bytes are needed to decide. */
export function furtherSignature({ head, complete, final, named }: Sniffed): string | undefined {
  if (isExr(head)) return 'exr';
  if (isRadiance(head, complete, named === 'hdr')) return 'hdr';
  if (isKtx2(head)) return 'ktx2';
  if (isKtx(head)) return 'ktx';
  if (isDds(head)) return 'dds';
  if (isQoi(head)) return 'qoi';
  if (isSpz(head)) return 'spz';
  if (isUsdc(head)) return 'usdc';
  if (is3mf(head, named === '3mf')) return '3mf';
  const blend = isBlend(head, final, named === 'blend');
  if (blend !== false) return blend === true ? 'blend' : blend;
  const stream = isTransportStream(head, final);
  return stream === true ? 'ts' : stream || undefined;
}

/** Formats without a signature, of which the name or the declared type must tell. */
export function furtherNamed({ head, complete, named }: Sniffed): string | undefined {
  if (named === 'tga' && tgaHeader(head) !== undefined) return 'tga';
  if (named === 'splat' && isSplat(head, complete)) return 'splat';
  return named === 'ksplat' && isKsplat(head) ? 'ksplat' : undefined;
}
