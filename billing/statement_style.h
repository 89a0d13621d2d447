// SPDX-License-Identifier: BSD-3-Clause
// The style sheet of a statement in HTML. Colours of bars have a contrast of 3 to 1 with the ground
// (WCAG 2.2, 1.4.11), those of letters 4.5 to 1.
#pragma once

namespace anabranch::billing {

inline constexpr const char* kStatementStyle = R"css(
:root { color-scheme: light dark; font-size: 16px;
  --ground: #fff; --ink: #1b1f24; --faint: #59636e; --line: #d1d9e0;
  --c0: #1f6fb4; --c1: #c46a00; --c2: #1b8a5a; --c3: #8e4ec6; --c4: #c8374a; --c5: #0e8a94;
  --c6: #8a5a2b; --c7: #6b7280; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ground: #14171b; --ink: #e6e9ed; --faint: #9aa4af; --line: #363d46;
    --c0: #4c9be8; --c1: #f0a04b; --c2: #3fbf85; --c3: #bb8af0; --c4: #f0707f; --c5: #3fbfca;
    --c6: #c4925e; --c7: #a3abb5; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 1rem/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 58rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.2; }
h2 { margin: 2.2rem 0 .6rem; font-size: 1.2rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; margin: 1rem 0; }
dt { color: var(--faint); }
dd { margin: 0; }
.due { margin: .8rem 0 0; font-size: 1.25rem; }
.note, .details, figcaption { color: var(--faint); font-size: .875rem; }
.details { margin: 0; padding: 0; list-style: none; }
.scroll { overflow-x: auto; margin-bottom: 1.4rem; }
time { white-space: nowrap; }
table { width: 100%; border-collapse: collapse; }
caption { padding: .5rem 0; text-align: left; font-weight: 600; font-size: 1.05rem; }
th, td { padding: .4rem 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; font-weight: normal; }
thead th { color: var(--faint); font-size: .875rem; }
.n { width: 9.5rem; padding-left: 1rem; text-align: right; white-space: nowrap;
  overflow-wrap: normal; font-variant-numeric: tabular-nums; }
.explained th, .explained td { padding-bottom: .1rem; border: 0; }
.explained + tr td { padding-top: 0; }
tbody th, td:not(.n) { min-width: 7rem; }
tfoot th, tfoot td { font-weight: 600; }
th.path { padding-top: .9rem; font-weight: 600; }
th.day { white-space: nowrap; min-width: 0; padding-right: 1rem; }
figure { margin: 1rem 0 0; }
.graphs { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr));
  gap: 1rem; margin-top: .5rem; }
.graphs svg { width: 100%; height: auto; font-size: 115px; }
.graphs text { fill: var(--faint); font-variant-numeric: tabular-nums; }
.graphs text.name { fill: var(--ink); font-weight: 600; }
.axis, .grid { fill: none; stroke: var(--line); stroke-width: 8; }
.axis { stroke: var(--faint); }
.graphs rect { stroke: var(--ground); stroke-width: 8; }
.c0 { fill: var(--c0); } .c1 { fill: var(--c1); } .c2 { fill: var(--c2); } .c3 { fill: var(--c3); }
.c4 { fill: var(--c4); } .c5 { fill: var(--c5); } .c6 { fill: var(--c6); } .c7 { fill: var(--c7); }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; margin: .6rem 0; padding: 0;
  list-style: none; font-size: .875rem; }
.legend svg { width: .8em; height: .8em; }
summary { cursor: pointer; padding: .4rem 0; }
@media (max-width: 34rem) {
  :root { font-size: 15px; }
  .n { width: auto; padding-left: .6rem; font-size: .9em; }
  figure table { font-size: .8rem; }
  figure .n { padding-left: .5rem; }
  figure td:not(.n) { min-width: 4.5rem; }
  th.day { padding-right: .5rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
}
@page { margin: 15mm; }
@media print {
  :root { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  h2, caption { break-after: avoid; }
  tr, figure { break-inside: avoid; }
  .explained { break-after: avoid; }
  .graphs { grid-template-columns: 1fr 1fr; }
  .scroll { overflow: visible; }
  details:not([open]) { display: none; }
}
)css";

}  // namespace anabranch::billing
