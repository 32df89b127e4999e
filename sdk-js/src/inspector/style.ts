/** The panel's look; light and dark, sheet on phones, card elsewhere. */
export const STYLE = `
:host { all: initial; position: fixed; z-index: 2147483000; right: max(16px, env(safe-area-inset-right)); bottom: max(16px, env(safe-area-inset-bottom)); }
:host([data-side=left]) { right: auto; left: max(16px, env(safe-area-inset-left)); }
* { box-sizing: border-box; margin: 0; padding: 0; }
.panel {
  --paper: #ffffff; --ink: #17202a; --soft: #5d6a77; --line: #e4e8ec; --track: #e9edf0;
  --up: #0f7b52; --up-bar: #2fa877; --down: #b3392b; --down-bar: #dd6b5c; --tone: #8795a3;
  font: 400 13px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; font-variant-numeric: tabular-nums;
  width: 348px; color: var(--ink); background: var(--paper); border: 1px solid var(--line); border-radius: 18px;
  box-shadow: 0 1px 2px #0b182414, 0 18px 48px -16px #0b182459; overflow: hidden;
}
.panel[data-band=qualified] { --tone: #1b9a68; } .panel[data-band=undecided] { --tone: #c98a12; }
@media (prefers-color-scheme: dark) {
  .panel { --paper: #151b22; --ink: #eef2f5; --soft: #9caab7; --line: #2a333d; --track: #28313b;
    --up: #5fd3a3; --up-bar: #2f9d72; --down: #ff9a8c; --down-bar: #c65a4c; box-shadow: 0 18px 48px -12px #000c; }
}
header { position: relative; display: grid; grid-template-columns: 88px 1fr; align-items: end; gap: 16px; padding: 16px 16px 12px; }
.dial { grid-area: 1 / 1; width: 88px; height: 77px; overflow: visible; }
.dial circle { fill: none; stroke-width: 9; stroke-linecap: round; } .track { stroke: var(--track); }
.fill { stroke: var(--tone); stroke-dashoffset: 999; transition: stroke-dashoffset .6s cubic-bezier(.2, .8, .2, 1), stroke .3s; }
.number { grid-area: 1 / 1; align-self: center; display: grid; justify-items: center; line-height: 1; padding-top: 8px; }
.score { font-size: 30px; font-weight: 680; letter-spacing: -.03em; } .of { font-size: 10px; margin-top: 3px; }
.soft { color: var(--soft); }
.verdict { display: grid; gap: 2px; padding-bottom: 4px; white-space: nowrap; } .line { display: flex; align-items: center; gap: 8px; min-height: 24px; }
.band { font-size: 16px; font-weight: 650; letter-spacing: -.01em; }
.change { font-weight: 650; font-size: 12px; padding: 2px 8px; border-radius: 99px; } .change:empty { display: none; }
.up { color: var(--up); } .down { color: var(--down); } .same { color: var(--soft); }
.change[data-sign=up] { color: var(--up); background: color-mix(in srgb, var(--up-bar) 18%, transparent); }
.change[data-sign=down] { color: var(--down); background: color-mix(in srgb, var(--down-bar) 20%, transparent); }
.buttons { display: flex; position: absolute; top: 8px; right: 8px; }
button { appearance: none; border: 0; background: none; color: var(--soft); width: 30px; height: 30px; border-radius: 9px; cursor: pointer; display: grid; place-items: center; }
button:hover { background: var(--track); color: var(--ink); } button:focus-visible { outline: 2px solid var(--tone); outline-offset: -2px; }
button svg { width: 16px; height: 16px; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; transition: transform .25s; }
[data-folded] .fold svg { transform: rotate(180deg); }
#details { border-top: 1px solid var(--line); padding: 12px 16px 14px; max-height: min(62vh, 520px); overflow-y: auto; overscroll-behavior: contain; }
[data-folded] #details { display: none; }
h2 { font-size: 11.5px; font-weight: 600; color: var(--soft); margin-bottom: 6px; } .sum + h2 { margin-top: 14px; }
ul, ol { list-style: none; }
.reasons li { display: grid; grid-template-columns: 1fr auto; gap: 1px 12px; padding: 4px 0; } .reasons .none { display: block; }
.text { text-wrap: pretty; } .text::first-letter { text-transform: uppercase; } .points { font-weight: 650; }
.axis { grid-column: 1 / -1; height: 5px; border-radius: 3px; position: relative; background: linear-gradient(var(--soft), var(--soft)) 50% 0 / 1px 100% no-repeat, var(--track); }
.bar { position: absolute; top: 0; bottom: 0; width: calc(var(--share) * 50%); border-radius: 3px; animation: grow .45s cubic-bezier(.2, .8, .2, 1); }
.bar.up { left: 50%; background: var(--up-bar); transform-origin: left; } .bar.down { right: 50%; background: var(--down-bar); transform-origin: right; }
.sum { margin-top: 8px; padding: 8px 11px; border-radius: 10px; background: color-mix(in srgb, var(--track) 60%, transparent); font-weight: 600; line-height: 1.55; display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 7px; }
.sum .soft { font-weight: 400; } .sum .base + .soft { margin-left: -3px; } .total { font-size: 15px; font-weight: 700; }
.history li { display: grid; grid-template-columns: 1fr 34px 26px; gap: 8px; padding: 2.5px 0; } .history span:not(.what) { text-align: right; font-weight: 600; }
.history .then { font-weight: 400 !important; } .what { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.of-shown { margin-top: 14px; } .of-shown:has(+ .shown:empty), .shown:empty, .reset[hidden] { display: none; } .shown + .reset + h2 { margin-top: 14px; }
.shown li { display: grid; grid-template-columns: 1fr auto; gap: 0 10px; padding: 5px 0; border-bottom: 1px solid var(--line); } .shown li:last-child { border: 0; }
.shown .what { font-weight: 600; } .because::first-letter { text-transform: uppercase; } .because, .options { grid-column: 1 / -1; } .problem .what { color: var(--down); } .problem .because { overflow-wrap: anywhere; }
.options { display: flex; flex-wrap: wrap; gap: 4px; } .options:not(:empty) { margin: 4px 0 2px; }
.option, .reset, .pick { width: auto; height: auto; min-height: 26px; padding: 2px 10px; border: 1px solid var(--line); border-radius: 99px; font: inherit; font-size: 12px; color: var(--ink); }
.option[aria-pressed=true] { border-color: var(--tone); background: color-mix(in srgb, var(--tone) 18%, transparent); font-weight: 600; } .reset { margin-top: 6px; color: var(--soft); }
.picking { margin: 10px 0 14px; } .picked { display: block; margin-top: 6px; font-size: 12px; overflow-wrap: anywhere; user-select: all; }
.veil { position: fixed; inset: 0; cursor: crosshair; } .box { position: fixed; border: 2px solid #2f7de1; background: #2f7de126; border-radius: 4px; pointer-events: none; }
.time { margin-top: 12px; padding-top: 10px; border-top: 1px solid var(--line); font-size: 12px; } .time:empty { display: none; }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@keyframes grow { from { transform: scaleX(0); } }
@media (max-width: 640px) {
  .move { display: none; } :host, :host([data-side=left]) { right: 8px; left: 8px; bottom: max(8px, env(safe-area-inset-bottom)); }
  .panel { width: 100%; } header { grid-template-columns: 68px 1fr; align-items: center; padding: 10px 12px; } .buttons { top: 50%; transform: translateY(-50%); right: 6px; } .dial { width: 68px; height: 60px; } .score { font-size: 24px; } .of { display: none; } .number { padding-top: 4px; }
  #details { max-height: 46vh; } button { width: 44px; height: 44px; } .option, .reset, .pick { width: auto; height: auto; min-height: 36px; }
}
@media (prefers-reduced-motion: reduce) { *, .fill { animation: none !important; transition: none !important; } }
`;
