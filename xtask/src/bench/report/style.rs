//! The style sheet: light and dark, no font and no picture from elsewhere.

/// The colours of engines stay apart for eyes that do not tell red from green, and every line
/// carries its name and a mark besides.
pub(crate) const SHEET: &str = "
:root {
  color-scheme: light dark;
  --page: #f6f6f4; --card: #ffffff; --ink: #16191d; --soft: #5b626b; --rule: #dfe1e0; --grid: #e9eae8;
  --good: #0a7a4b; --bad: #c2271f;
  --raw: #16191d; --batch: #7c848d; --loop: #1f6fd1; --inline: #d2540a; --channel: #0a8562;
  --plain: #8445c4; --fio: #a07400;
  --peer0: #1f6fd1; --peer1: #0a8562; --peer2: #8445c4; --peer3: #a07400; --peer4: #c2307e;
  --peer5: #0b86a3; --peer6: #76562f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #111315; --card: #1a1d20; --ink: #eceeef; --soft: #9aa3ac; --rule: #2e3338; --grid: #272b2f;
    --good: #4fd39a; --bad: #ff8077;
    --raw: #eceeef; --batch: #8b949e; --loop: #62a8ff; --inline: #ff8f4d; --channel: #38c79a;
    --plain: #bf93f5; --fio: #e2b53e;
    --peer0: #62a8ff; --peer1: #38c79a; --peer2: #bf93f5; --peer3: #e2b53e; --peer4: #f47ab8;
    --peer5: #4cc4dd; --peer6: #c9a27a;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif;
}
main { max-width: 1500px; margin: 0 auto; padding: 28px 24px 64px; }
h1 { font-size: 28px; font-weight: 650; letter-spacing: -0.01em; margin: 0 0 10px; }
h2 { font-size: 19px; font-weight: 650; margin: 0 0 4px; }
h3 { font-size: 14px; font-weight: 600; margin: 20px 0 8px; }
.key { margin: 10px 0 0; color: var(--soft); font-size: 12.5px; }
.facts { columns: 2 420px; column-gap: 40px; list-style: none; margin: 0; padding: 0; color: var(--soft); font-size: 13.5px; }
.facts li { break-inside: avoid; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 12px; margin: 22px 0 14px; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 14px 16px; }
.tile p { margin: 0; color: var(--soft); font-size: 13px; line-height: 1.4; }
.tile .number { color: var(--ink); font-size: 28px; font-weight: 650; line-height: 1.25; margin-bottom: 2px; }
nav {
  position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: 4px 16px; padding: 9px 0;
  background: var(--page); border-bottom: 1px solid var(--rule); margin-bottom: 18px; font-size: 13.5px;
}
nav a { color: var(--soft); text-decoration: none; }
nav a:hover { color: var(--ink); text-decoration: underline; }
section {
  background: var(--card); border: 1px solid var(--rule); border-radius: 12px; padding: 20px 22px; margin: 0 0 18px;
  scroll-margin-top: 48px;
}
section p { max-width: 88ch; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 8px 26px; }
figure { margin: 0; max-width: 620px; }
figcaption { font-size: 13px; color: var(--soft); }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font: 11px system-ui, -apple-system, 'Segoe UI', Arial, sans-serif; fill: var(--ink); }
svg .tick { fill: var(--soft); font-variant-numeric: tabular-nums; }
svg .value { fill: var(--soft); font-variant-numeric: tabular-nums; }
.grid { stroke: var(--grid); stroke-width: 1; }
.base { stroke: var(--rule); stroke-width: 1; }
.thread { stroke: var(--rule); stroke-width: 1; fill: none; }
.line { fill: none; stroke: var(--colour); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.mark { fill: var(--colour); stroke: var(--card); stroke-width: 1; }
.bar { fill: var(--colour); fill-opacity: 0.82; }
.whisker { stroke: var(--colour); stroke-width: 1.5; stroke-opacity: 0.55; }
.bar + .whisker { stroke: var(--ink); stroke-opacity: 0.6; }
.range { stroke: var(--colour); stroke-width: 3; stroke-opacity: 0.4; }
.notch { stroke: var(--colour); stroke-width: 2; }
.touch { fill: transparent; stroke: none; }
.point:hover .mark { stroke: var(--ink); stroke-width: 2; }
.raw { --colour: var(--raw); } .batch { --colour: var(--batch); } .loop { --colour: var(--loop); }
.inline { --colour: var(--inline); } .channel { --colour: var(--channel); } .plain { --colour: var(--plain); }
.fio { --colour: var(--fio); } .peer0 { --colour: var(--peer0); } .peer1 { --colour: var(--peer1); }
.peer2 { --colour: var(--peer2); } .peer3 { --colour: var(--peer3); } .peer4 { --colour: var(--peer4); }
.peer5 { --colour: var(--peer5); } .peer6 { --colour: var(--peer6); }
svg .glyph { fill: var(--colour); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 12px 4px 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--grid); }
th { color: var(--soft); font-weight: 500; }
.numbers th, .numbers td { text-align: right; white-space: nowrap; }
.numbers th:nth-child(2), .numbers td:nth-child(2) { text-align: left; }
.numbers .first td { border-top: 1px solid var(--soft); }
.targets { width: 100%; }
.targets .state { white-space: nowrap; font-weight: 600; }
.met .state { color: var(--good); } .missed .state { color: var(--bad); }
.silent td { color: var(--soft); } .silent .state { font-weight: 400; }
details { margin-top: 16px; }
summary { cursor: pointer; color: var(--soft); font-size: 13.5px; margin-bottom: 6px; }
.without { color: var(--soft); font-size: 13px; padding-left: 18px; margin: 10px 0 0; }
code { font: 13px ui-monospace, 'SF Mono', Menlo, Consolas, monospace; }
@media print { nav { position: static; } section { break-inside: avoid; } }
";
