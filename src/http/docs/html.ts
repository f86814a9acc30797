/** HTML that is safe to put into a page: `html` makes it, and escapes everything else. */
class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}
export type { Html };

/** What may stand in a template: text and numbers are escaped; `false` and undefined are nothing. */
type Value = Html | string | number | false | undefined | readonly Value[];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(value: Value): string {
  if (value === false || value === undefined) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map((part) => escaped(part)).join('');
  return String(value).replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

/** A template whose values are escaped, unless they are HTML already. Attributes must be quoted. Its own indentation is left out. */
export function html(texts: TemplateStringsArray, ...values: Value[]): Html {
  const parts = texts.map((text) => text.replaceAll(/\n +/g, '\n'));
  return new Html(parts.map((text, index) => (index === 0 ? text : escaped(values[index - 1]) + text)).join(''));
}

/** Text of a description: `code` between backticks, everything else as it is. */
export function prose(text: string, codeOf: (code: string) => Html = (code) => html`<code>${code}</code>`): Html {
  return html`${text.split('`').map((part, index) => (index % 2 === 1 ? codeOf(part) : part))}`;
}

/** Text of ours that is put into a page as it is, such as a stylesheet. */
export const verbatim = (text: string): Html => new Html(text);
