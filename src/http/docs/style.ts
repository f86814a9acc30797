/** The page's stylesheet, in the page itself: its hash is in the Content-Security-Policy. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --back: oklch(.985 0 0); --raised: oklch(.955 0 0); --line: oklch(.89 0 0);
  --text: oklch(.22 0 0); --quiet: oklch(.45 0 0); --accent: oklch(.48 .15 255);
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: oklch(.17 0 0); --raised: oklch(.215 0 0); --line: oklch(.31 0 0);
    --text: oklch(.92 0 0); --quiet: oklch(.73 0 0); --accent: oklch(.78 .11 255);
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 16px; -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; max-width: 76rem; background: var(--back); color: var(--text);
  font: 15px/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; overflow-wrap: break-word;
}
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: 2px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
code, pre { font-family: ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace; font-size: 13px; }
b, h1, h2, h3 { font-weight: 550; }
h1, h2, h3, p, dl, dd, pre, ul { margin: 0; }
h1 { font-size: 28px; line-height: 1.2; margin-bottom: 8px; }
h2 { font-size: 20px; line-height: 1.3; margin-bottom: 8px; }
h3 { font-size: 16px; line-height: 1.35; }
h3 a { color: inherit; text-decoration: none; }
h3 a:hover { text-decoration: underline; }
small, .quiet { font-size: 13px; color: var(--quiet); }
main { padding: 24px 16px 40px; min-width: 0; }
main > section { margin-top: 40px; }
main p { max-width: 46rem; }
section > * + p, section > * + pre, section > * + details { margin-top: 12px; }
nav { padding: 24px 16px 0; font-size: 13px; }
nav ul { list-style: none; padding: 0; }
nav a { color: inherit; text-decoration: none; display: block; padding: 3px 0; }
nav a:hover, nav a:focus-visible { color: var(--accent); text-decoration: underline; }
nav > ul > li > ul { display: none; }
pre {
  background: var(--raised); border: 1px solid var(--line); border-radius: 6px; padding: 12px 16px;
  overflow-x: auto; line-height: 1.5; tab-size: 2;
}
:not(pre) > code { overflow-wrap: anywhere; }
.operation { padding-top: 24px; margin-top: 24px; border-top: 1px solid var(--line); }
.route { margin-top: 4px !important; }
.route b { font: 550 13px ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace; }
.route span, .needs, .raw, .names { font-size: 13px; color: var(--quiet); }
.route span { margin-left: 8px; }
.needs { margin-top: 4px !important; }
.index { list-style: none; padding: 0; margin-top: 12px; }
.index li { display: grid; grid-template-columns: minmax(0, 15rem) minmax(0, 1fr); gap: 0 16px; padding: 2px 0; }
.index code { color: var(--quiet); }
details { border: 1px solid var(--line); border-radius: 6px; }
summary { padding: 8px 16px; cursor: pointer; }
summary:hover { background: var(--raised); border-radius: 6px; }
details > .fields { padding: 0 16px; }
.fields > div { display: grid; grid-template-columns: minmax(0, 15rem) minmax(0, 1fr); gap: 0 16px; padding: 8px 0; border-top: 1px solid var(--line); }
.fields dt span { font-size: 13px; color: var(--quiet); }
.fields dt b { font-size: 13px; }
.fields dt > code { font-weight: 550; }
.fields dd p { margin-top: 4px; }
.fields dd .fields { margin-top: 8px; }
.names code { margin-right: 4px; }
.schema { padding-top: 16px; margin-top: 16px; }
@media (min-width: 60rem) {
  .page { display: grid; grid-template-columns: 15rem minmax(0, 1fr); gap: 24px; }
  nav { position: sticky; top: 0; max-height: 100vh; overflow-y: auto; padding-bottom: 24px; border-right: 1px solid var(--line); }
  nav > ul > li > ul { display: block; padding: 0 0 0 12px; margin: 4px 0 8px; color: var(--quiet); }
  main { padding: 24px 16px 64px 8px; }
}
@media (max-width: 40rem) {
  nav > ul { columns: 2; column-gap: 16px; }
  nav a { padding: 5px 0; }
  .fields > div, .index li { grid-template-columns: minmax(0, 1fr); }
  .index li { padding: 5px 0; }
}
@media print { nav { display: none; } pre { white-space: pre-wrap; } }
`;
