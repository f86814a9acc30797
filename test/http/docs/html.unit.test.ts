import fc from 'fast-check';
import { expect, test } from 'vitest';
import { html, prose, verbatim } from '../../../src/http/docs/html.ts';

// Under its own name, the formatter would change the templates.
const markup = html;

test('a value in a template is escaped, and HTML is not escaped twice', () => {
  const item = markup`<li title="${'"<&>\''}">${'<script>'}</li>`;
  expect(item.text).toBe('<li title="&quot;&lt;&amp;&gt;&#39;">&lt;script&gt;</li>');
  expect(markup`<ul>${[item, item]}</ul>`.text).toBe(`<ul>${item.text}${item.text}</ul>`);
  expect(markup`${undefined}${false}${0}${''}`.text).toBe('0');
  expect(markup`<p>${verbatim('<b>')}</p>`.text).toBe('<p><b></p>');
});

test('whatever the text, none of it becomes a tag or ends an attribute', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('<', '>', '"', "'", '&', '`', '/', 'a', '\u2028') }), (text) => {
      expect(html`${text}`.text).not.toMatch(/[<>"']/);
      expect(prose(text).text.replaceAll(/<\/?code>/g, '')).not.toMatch(/[<>"']/);
    }),
  );
});

test('text between backticks becomes code', () => {
  expect(prose('Send `a<b` or `c`, please.').text).toBe('Send <code>a&lt;b</code> or <code>c</code>, please.');
});

test('a template loses its own indentation and values keep theirs', () => {
  const text = markup`<ul>
    <li>${'a\n    b'}</li>
  </ul>`.text;
  expect(text).toBe('<ul>\n<li>a\n    b</li>\n</ul>');
});
