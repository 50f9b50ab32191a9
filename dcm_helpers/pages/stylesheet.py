"""The one look of all pages: light and dark, wide and narrow. Every page carries it, so that it can be mailed."""

from functools import cache

from pygments.formatters import HtmlFormatter

LIGHT_CODE, DARK_CODE = "default", "github-dark"
"""Pygments' colors of code."""
SHEET = """
:root { color-scheme: light dark;
        --paper: #ffffff; --ink: #1d2127; --soft: #5d6570; --line: #d9dde2; --card: #f5f7f9;
        --bad: #b3400a; --bad-card: #fdf1ea; --link: #0b62a4; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171b; --ink: #e6e9ed; --soft: #9aa3ae; --line: #343a42; --card: #1d2127;
          --bad: #ff9d66; --bad-card: #2b1d15; --link: #7cbcf2; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.6 system-ui, sans-serif;
       overflow-wrap: break-word; }
a { color: var(--link); }
main { max-width: 80rem; width: 100%; margin: 0 auto; padding: 1rem 1.5rem 4rem; min-width: 0; }
main > :is(p, ul, ol, h1, h2, h3, h4, blockquote), .dcm-words > :is(p, ul, ol, h1, h2, h3, h4, blockquote) {
  max-width: 66ch; }  /* some 75 letters */
h1 { font-size: 1.7rem; line-height: 1.25; margin: .6rem 0; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 2.4rem 0 .6rem; }
h3 { font-size: 1.1rem; margin: 1.8rem 0 .4rem; }
h1, h2, h3 { scroll-margin-top: 1rem; }
.dcm-note { color: var(--soft); font-size: .9rem; margin: .6rem 0 0; }
.dcm-bad { color: var(--bad); }
img { max-width: 100%; height: auto; }
code { font: .88em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: var(--card);
       border-radius: 4px; padding: .1em .3em; }
pre, pre code { font: .82rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { margin: .4rem 0; overflow-x: auto; }
pre code { background: none; padding: 0; }
math { max-width: 100%; font-size: 1.1em; }
math[display="block"] { overflow-x: auto; overflow-y: hidden; padding: .2rem 0; }

summary { cursor: pointer; color: var(--soft); font-size: .85rem; width: fit-content; }
summary:hover { color: var(--ink); }
.dcm-code { margin: .5rem 0; }
.dcm-code .highlight, .dcm-words .highlight { background: var(--card); border: 1px solid var(--line);
             border-radius: 6px; padding: .2rem .8rem; margin: .3rem 0; }
.dcm-output { margin: .5rem 0 1rem; }
.dcm-text { padding: .1rem 0; }
.dcm-stderr { color: var(--soft); }
.dcm-error { background: var(--bad-card); border-left: 3px solid var(--bad); padding: .6rem .8rem; }
.dcm-failure { background: var(--bad-card); border: 1px solid var(--bad); border-radius: 8px;
               padding: .8rem 1.1rem; margin: 1rem 0; }
.dcm-failure strong { color: var(--bad); }
.dcm-figure { margin: .6rem 0; }
.dcm-figure figcaption { font-weight: 600; }
.dcm-plot { width: 100%; }

.dcm-scroll { overflow: auto; max-height: 32rem; margin: .5rem 0; }
@media print { .dcm-scroll { max-height: none; } }
table { border-collapse: collapse; font-size: .88rem; line-height: 1.4; border: 0;
        font-variant-numeric: tabular-nums; }
tr { text-align: left !important; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border: 0; max-width: 60ch; }
td { border-top: 1px solid var(--line); }
th { font-weight: 600; }
thead th { position: sticky; top: 0; background: var(--paper); }
tbody th { border-top: 1px solid var(--line); font-weight: 400; color: var(--soft); }
th.dcm-number, td.dcm-number { text-align: right !important; }  /* a table's own style has an id */
.dcm-number, .dcm-short { white-space: nowrap; }

.dcm-way { display: flex; flex-wrap: wrap; gap: .3rem 1.5rem; font-size: .9rem; }
.dcm-way :last-child { margin-left: auto; text-align: right; }
.dcm-contents { font-size: .88rem; margin: .8rem 0; }
.dcm-contents ol { list-style: none; margin: .3rem 0; padding: 0; }
.dcm-contents li { margin: .35rem 0; line-height: 1.35; }
.dcm-contents .deeper { padding-left: 1rem; }
.dcm-contents a { color: var(--soft); text-decoration: none; }
.dcm-contents a:hover { color: var(--ink); text-decoration: underline; }
@media (min-width: 75rem) {
  body:has(.dcm-contents) { display: grid; grid-template-columns: 15rem minmax(0, 1fr); gap: 2rem;
                            max-width: 96rem; margin: 0 auto; }
  .dcm-contents { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow-y: auto; margin: 0;
                  padding: 1.5rem 0 1.5rem 1.5rem; }
}
@media (max-width: 74.99rem) { .dcm-contents { padding: 0 1.5rem; } }
@media (max-width: 40rem) {
  body { font-size: 15px; }
  main { padding: .5rem 1rem 3rem; }
  .dcm-contents { padding: 0 1rem; }
  table { width: max-content; }
  th, td { max-width: 34ch; }
}

.dcm-cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(15rem, 100%), 1fr)); gap: 1rem;
             margin: 1.5rem 0; }
.dcm-card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem 1.2rem; }
.dcm-card h2 { font-size: .9rem; margin: 0 0 .3rem; color: var(--soft); font-weight: 600; }
.dcm-card strong { display: block; font-size: 1.25rem; }
.dcm-figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); gap: 1rem 2rem; }
.dcm-figures .dcm-figure { min-width: 0; }
.dcm-figures .dcm-figure:last-child:nth-child(odd) { grid-column: 1 / -1; }
.dcm-settings { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .2rem 1.5rem; margin: 1rem 0;
                font-size: .92rem; }
.dcm-settings dt { color: var(--soft); }
.dcm-settings dd { margin: 0; }
.dcm-notebooks { padding-left: 0; list-style: none; }
.dcm-notebooks .dcm-note { margin: 0; }
.dcm-notebooks li { border-top: 1px solid var(--line); padding: .6rem 0; }
.dcm-in-full { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; }
"""


@cache
def stylesheet() -> str:
    """The style sheet, colors of code included."""
    light = HtmlFormatter(style=LIGHT_CODE).get_style_defs(".highlight")
    dark = HtmlFormatter(style=DARK_CODE).get_style_defs(".highlight")
    only_dark = f"@media (prefers-color-scheme: dark) {{\n{dark}\n}}"
    return f"@media (prefers-color-scheme: light) {{\n{light}\n}}\n{only_dark}\n{SHEET}"
