/**
 * Terms of IPTC's vocabulary "Digital Source Type" (https://cv.iptc.org/newscodes/digitalsourcetype). A file keeps only one of
 * these, so that nothing else gets through with it.
 */
const TERMS: ReadonlySet<string> = new Set(
  [
    ['trainedAlgorithmicMedia', 'compositeWithTrainedAlgorithmicMedia', 'algorithmicMedia', 'compositeSynthetic'],
    ['algorithmicallyEnhanced', 'dataDrivenMedia', 'digitalArt', 'digitalCreation', 'virtualRecording', 'composite'],
    ['compositeCapture', 'digitalCapture', 'computationalCapture', 'multiFrameComputationalCapture', 'screenCapture'],
    ['negativeFilm', 'positiveFilm', 'print', 'humanEdits', 'minorHumanEdits', 'softwareImage'],
  ].flat(),
);
/** Of several in a manifest, the one that says that a model took part. */
const BY_MODEL: ReadonlySet<string> = new Set([
  'trainedAlgorithmicMedia',
  'compositeWithTrainedAlgorithmicMedia',
  'algorithmicMedia',
  'compositeSynthetic',
]);
const VOCABULARY = 'cv.iptc.org/newscodes/digitalsourcetype/';

/**
 * What a file says of how it came to be, which stays when its other metadata goes: the EU's Code of Practice on marking
 * AI-generated content and California's law forbid to remove it.
 */
export class SourceTypeMark {
  readonly #generated: boolean;
  #own: string | undefined;
  #signed: string | undefined;
  #manifest = false;

  /** @param generated the record of the file says that a model made it */
  constructor(generated: boolean) {
    this.#generated = generated;
  }

  /** The file itself has said how it came to be. */
  get found(): boolean {
    return this.#own !== undefined || this.#signed !== undefined;
  }

  /** Reads the file's XMP. */
  readXmp(xmp: string): void {
    for (let at = xmp.indexOf('DigitalSourceType'); at >= 0; at = xmp.indexOf('DigitalSourceType', at + 1)) {
      // An attribute or an element; the term alone, or with its address.
      const [, value = ''] =
        /^DigitalSourceType\s{0,9}(?:=\s{0,9}["']|>|\s[^<>]{0,200}>)\s{0,99}([^\s"'<>]{1,200})/.exec(
          xmp.slice(at, at + 600),
        ) ?? [''];
      const resource = /resource\s?=\s?["']([^"']{1,200})/.exec(xmp.slice(at, at + 300))?.[1];
      this.#own ??= [value, resource ?? ''].map((each) => each.split('/').at(-1) ?? '').find((term) => TERMS.has(term));
    }
  }

  /** Reads a part of a box that holds a C2PA manifest (JUMBF). Its text is not compressed. */
  readManifest(bytes: Uint8Array): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    this.#manifest ||= text.includes('c2pa');
    for (let at = text.indexOf(VOCABULARY); at >= 0; at = text.indexOf(VOCABULARY, at + 1)) {
      const [term = ''] = /^[A-Za-z]{1,60}/.exec(text.slice(at + VOCABULARY.length, at + VOCABULARY.length + 60)) ?? [];
      if (TERMS.has(term) && (this.#signed === undefined || (BY_MODEL.has(term) && !BY_MODEL.has(this.#signed))))
        this.#signed = term;
    }
  }

  /** The XMP to write; undefined when nothing says how the file came to be. Call it when the whole file was read. */
  xmp(): string | undefined {
    const term =
      this.#own ?? this.#signed ?? (this.#generated || this.#manifest ? 'trainedAlgorithmicMedia' : undefined);
    return term === undefined ? undefined : packet(term);
  }
}

function packet(term: string): string {
  return [
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>',
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">',
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"',
    ` Iptc4xmpExt:DigitalSourceType="http://${VOCABULARY}${term}"/>`,
    '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>',
  ].join('');
}
