"""How the page of the contract looks: light or dark, as the reader's machine is set."""

from typing import Final

STYLE: Final = """\
:root {
  color-scheme: light dark;
  --ink: #1d2430; --quiet: #5b6675; --paper: #ffffff; --shade: #f4f6f9; --line: #dde2ea;
  --link: #1257a8; --in: #0b6b4f; --out: #6a3fa0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e3e8f0; --quiet: #9aa6b8; --paper: #14181f; --shade: #1c222c; --line: #323b49;
    --link: #79b3f5; --in: #57c8a2; --out: #bd9bec;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body {
  margin: 0; display: grid; grid-template-columns: 17rem minmax(0, 1fr);
  font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
}
nav {
  position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.5rem;
  background: var(--shade); border-right: 1px solid var(--line);
}
nav h1 { font-size: 1.25rem; margin: 0; }
nav h2 { font-size: .8rem; margin: 1.25rem 0 .25rem; color: var(--quiet); }
nav p { margin: .25rem 0 0; color: var(--quiet); font-size: .85rem; }
nav ul { list-style: none; margin: 0; padding: 0; font-size: .85rem; }
nav li { padding: .1rem 0; overflow-wrap: anywhere; }
main { padding: 1.5rem 2.5rem 6rem; max-width: 68rem; }
section { padding-bottom: 2rem; border-bottom: 1px solid var(--line); }
h2 { margin: 2rem 0 .5rem; font-size: 1.4rem; }
h3 { margin: 2rem 0 .25rem; font-size: 1.1rem; }
h2 span {
  font-size: .75rem; font-weight: 600; padding: .15rem .5rem; border-radius: 1rem;
  border: 1px solid currentColor; vertical-align: middle; white-space: nowrap;
}
.in { color: var(--in); } .out { color: var(--out); }
a { color: var(--link); }
code, pre { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .85em; }
details { margin: .5rem 0; }
summary { cursor: pointer; font-weight: 600; padding: .15rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; }
th { color: var(--quiet); font-weight: 600; }
tr { border-bottom: 1px solid var(--line); }
td:first-child { white-space: nowrap; }
.marks { color: var(--quiet); white-space: nowrap; }
.kind td { padding-top: 1.25rem; white-space: normal; font-weight: 600; }
.rule td { color: var(--quiet); white-space: normal; }
pre {
  margin: .5rem 0; padding: 1rem; overflow-x: auto; background: var(--shade);
  border: 1px solid var(--line); border-radius: .4rem; line-height: 1.4;
}
@media (max-width: 50rem) {
  body { display: block; }
  nav { position: static; height: auto; border-right: 0; }
  main { padding: 1rem; }
  table { display: block; overflow-x: auto; }
}
@media print { nav { display: none; } body { display: block; } }
"""
