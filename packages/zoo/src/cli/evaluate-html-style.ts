/** The style sheet of the report: light or dark as the reader's system is, and fit for printing. */
export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --card: #f6f7f9; --ink: #1c2127; --muted: #68727d; --line: #dfe3e8;
  --bar: #2f6fde; --tick: #f08c2e; --track: #e9edf2; --warn: #fff1cc; --warn-ink: #6f4400;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15181c; --card: #1e2328; --ink: #e8ebee; --muted: #98a2ac; --line: #333a42;
    --bar: #5b93f5; --tick: #f5a04c; --track: #2a3038; --warn: #493610; --warn-ink: #ffdc94;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 1180px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 44px 0 4px; }
p { margin: 0; }
.lead, .note { color: var(--muted); }
details { color: var(--muted); font-size: 13.5px; margin-top: 12px; }
summary { cursor: pointer; }
.note { font-size: 13.5px; margin-bottom: 14px; max-width: 78ch; }
.warning { background: var(--warn); color: var(--warn-ink); border-radius: 8px; padding: 10px 14px; margin-top: 16px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin-top: 24px; }
.figure { background: var(--card); border-radius: 12px; padding: 14px 18px 16px; }
.figure b { display: block; font-size: 30px; line-height: 1.2; font-weight: 650; font-variant-numeric: tabular-nums; }
.figure.first b { color: var(--bar); }
.figure span { color: var(--muted); font-size: 13.5px; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; margin: 20px 0 0; font-size: 14px; }
dl.facts dt { color: var(--muted); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
.swatch { display: inline-block; width: 11px; height: 11px; border-radius: 3px; flex: none; box-shadow: inset 0 0 0 1px #0003; }
.histogram { width: 100%; max-width: 640px; height: auto; display: block; }
.histogram rect { fill: var(--bar); }
.histogram text { fill: var(--muted); font-size: 11px; }
.histogram line { stroke: var(--line); }
.classes { columns: 2; column-gap: 40px; }
.class {
  break-inside: avoid; display: grid; grid-template-columns: 11px 8.5em 1fr 4.6em; gap: 9px; align-items: center;
  font-size: 13px; line-height: 1; padding: 4px 0; font-variant-numeric: tabular-nums;
}
.class .name { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; line-height: 1.3; }
.class .value { text-align: right; white-space: nowrap; }
.track { position: relative; height: 10px; border-radius: 5px; background: var(--track); }
.track i { position: absolute; inset: 0 auto 0 0; border-radius: 5px; background: var(--bar); }
.track u { position: absolute; top: -2px; bottom: -2px; width: 2px; margin-left: -1px; background: var(--tick); }
.key { display: inline-block; vertical-align: -1px; width: 14px; height: 10px; border-radius: 4px; background: var(--bar); }
.key.tick { width: 3px; height: 12px; border-radius: 0; background: var(--tick); }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--muted); font-weight: 500; }
th, td { padding: 5px 22px 5px 0; border-bottom: 1px solid var(--line); }
td .swatch { margin-right: 7px; }
.right { text-align: right; }
article { border: 1px solid var(--line); border-radius: 14px; padding: 16px 18px 18px; margin-top: 16px; break-inside: avoid; }
article header { display: flex; justify-content: space-between; gap: 16px; flex-wrap: wrap; margin-bottom: 10px; }
article header b { overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; }
.pair figure { margin: 0; }
.pair img { width: 100%; height: auto; display: block; border-radius: 8px; background: var(--track); }
.pair figcaption { color: var(--muted); font-size: 13px; margin-top: 5px; }
.chips { display: flex; flex-wrap: wrap; gap: 6px 16px; margin-top: 12px; font-size: 13px; font-variant-numeric: tabular-nums; }
.chips span { display: inline-flex; align-items: center; gap: 6px; }
.chips small { color: var(--muted); font-size: 12.5px; }
footer { margin-top: 48px; color: var(--muted); font-size: 13px; }
@media (max-width: 760px) { .classes { columns: 1; } .pair { grid-template-columns: 1fr; } main { padding: 24px 16px 48px; } }
@media print { main { max-width: none; padding: 0; } }
`;
