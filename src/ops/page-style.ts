/** How the page looks: light and dark, narrow and wide, on paper. No text from elsewhere is in it. */

const COLOURS_LIGHT = `--ground:#f6f6f4;--panel:#fff;--text:#1b1f23;--dim:#575e66;--line:#dcdfe2;--link:#0a539f;
--ok:#17692c;--watch:#7d4e00;--bad:#ad151d;--ok-ground:#e8f4ea;--watch-ground:#fcf2dc;--bad-ground:#fdebea;--plot:#4679ae;--pale:#9dbad8`

const COLOURS_DARK = `--ground:#111315;--panel:#191c1f;--text:#e6e8ea;--dim:#a4abb3;--line:#343a40;--link:#8cbaf0;
--ok:#72d08a;--watch:#e9ba50;--bad:#ff9a93;--ok-ground:#13251a;--watch-ground:#2a2311;--bad-ground:#351b1c;--plot:#6ba3da;--pale:#3e5e7e`

const GROUND = `
*{box-sizing:border-box}
html{color-scheme:light dark;-webkit-text-size-adjust:100%}
body{margin:0;padding:0 clamp(12px,2.5vw,40px) 40px;background:var(--ground);color:var(--text);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Open Sans",sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
h1,h2,h3,p,dl,dd,ul{margin:0}
h2{font-size:17px;margin:32px 0 10px}
h3{font-size:15px;display:inline}
a{color:var(--link)}
a:focus-visible,summary:focus-visible{outline:2px solid var(--link);outline-offset:2px;border-radius:3px}
code,.name{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.9em}
.dim{color:var(--dim)}
.nowrap{white-space:nowrap}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.below{display:block;font-weight:400;font-size:13px;color:var(--dim)}
.sign{width:1em;height:1em;vertical-align:-.12em;flex:none;fill:currentColor;stroke:none}
.sign path{fill:none;stroke:var(--panel);stroke-width:2;stroke-linecap:round}
.sign path.body{fill:currentColor;stroke:none}
.sign .hollow{fill:none;stroke:currentColor;stroke-width:2}
.ok{--mark:var(--ok)}.watch{--mark:var(--watch)}.bad{--mark:var(--bad)}.quiet{--mark:var(--dim)}
.sign,.state,span.ok,span.watch,span.bad{color:var(--mark)}
.state{font-weight:600;white-space:nowrap}
.panel,.source,.scroll,.tiles>div,.trouble{background:var(--panel);border:1px solid var(--line);border-radius:8px}`

const HEAD = `
.top{display:flex;flex-wrap:wrap;gap:4px 16px;justify-content:space-between;align-items:baseline;padding:14px 0 10px}
.top .brand{font-weight:700;font-size:17px}
#stale{position:sticky;top:0;z-index:1;margin:0 0 10px;padding:10px 14px;border-radius:8px;background:var(--bad-ground);color:var(--bad);border:2px solid var(--bad);font-weight:600}
#stale[hidden]{display:none}
.old main{filter:grayscale(1)}
.old #verdict h1::before{content:"As of then: "}
#verdict{padding:16px 18px;border-radius:10px;border:1px solid var(--mark);border-left-width:8px}
#verdict.ok{background:var(--ok-ground)}#verdict.watch{background:var(--watch-ground)}#verdict.bad{background:var(--bad-ground)}
#verdict h1{font-size:clamp(21px,2.4vw,28px);line-height:1.25;color:var(--mark)}
#verdict p{margin-top:2px}
#verdict ol{list-style:none;margin:12px 0 0;padding:0;display:grid;gap:8px}
.trouble{padding:10px 14px;border-left:5px solid var(--mark)}
.trouble strong,.trouble strong a{color:var(--mark)}
.trouble .head{display:flex;flex-wrap:wrap;gap:0 14px;align-items:baseline}
.trouble .todo{font-size:14px}
.tiles{display:grid;grid-template-columns:repeat(8,minmax(0,1fr));gap:10px;margin-top:12px}
.tiles>div{padding:10px 14px}
.tiles>.bad,.tiles>.watch{border-color:var(--mark);box-shadow:inset 0 3px var(--mark)}.tiles>.bad dd,.tiles>.watch dd{color:var(--mark)}
.tiles dt{color:var(--dim);font-size:13px}
.tiles dd{font-size:21px;font-weight:600;line-height:1.3}
.tiles dd .below{font-weight:400}`

const PARTS = `
.plotted{display:inline-flex;flex-wrap:wrap;gap:2px 10px;align-items:flex-end}
.rate{min-width:4.2em}
.plot{display:block;max-width:100%}
.plot .bars{fill:var(--plot)}.plot .running{fill:var(--pale)}.plot .before{stroke:var(--line)}.plot .ground{stroke:var(--dim)}
.share{display:block;width:100%;max-width:260px;height:6px;margin-top:4px}
.share .whole{fill:var(--line)}.share .filled{fill:var(--plot)}.share .filled.watch{fill:var(--watch)}.share .filled.bad{fill:var(--bad)}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,230px),1fr));gap:8px 24px}
.facts dt{color:var(--dim);font-size:13px}
.facts .wide{grid-column:1/-1}
.panel{padding:14px 18px}
.panel h3{display:block;margin-bottom:8px}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:12px}
table{border-collapse:collapse;width:100%;background:var(--panel);border:1px solid var(--line);border-radius:8px;font-size:14px}
th,td{text-align:left;vertical-align:top;padding:7px 12px;border-top:1px solid var(--line);font-weight:400}
thead th{border-top:0;color:var(--dim);font-size:13px;white-space:nowrap}
tbody th{font-weight:600;min-width:9em}
tbody th:has(time){font-weight:400}
.number{text-align:right}
td.number{white-space:nowrap}
tr.bad>:first-child{box-shadow:inset 4px 0 var(--bad)}tr.watch>:first-child{box-shadow:inset 4px 0 var(--watch)}
.lease{display:inline-block;margin-right:10px;white-space:nowrap}
summary{cursor:pointer}
.each{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,420px),1fr));gap:10px;margin-top:10px}
.source{min-width:0}
.source[open]{grid-column:1/-1}
.source>summary{padding:10px 14px}
.source.bad{border-left:5px solid var(--bad)}.source.watch{border-left:5px solid var(--watch)}
.source>:not(summary){margin:0 14px 14px}
.source>p{margin-bottom:14px}
.source table{width:calc(100% - 28px)}
.doubts{padding-left:20px;color:var(--mark)}
.more{margin-top:8px}
.more>summary{color:var(--link);padding:4px 2px}
.source>.more>table{width:100%}
.cursor{font-weight:400;font-size:13px}
.cursor>summary{color:var(--dim)}
.cursor .facts{grid-template-columns:1fr;gap:2px;padding:4px 0}
.cursor .facts>div{display:flex;flex-wrap:wrap;gap:0 8px}
footer{margin-top:32px;color:var(--dim);font-size:14px}`

/** What is short of itself is not squeezed by what stands beside it, where there is room. */
const WIDE = `
@media (min-width:1081px){.short{white-space:nowrap}
#sources>table a.short{display:inline-block;max-width:12em;white-space:normal}}`

const NARROW = `
@media (max-width:1080px){
.tiles{grid-template-columns:repeat(4,minmax(0,1fr))}
table,tbody,tr,th[role=rowheader],td{display:block;width:auto}
.source table{width:auto}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
tr{padding:8px 0;border-top:1px solid var(--line);display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,290px),1fr))}
tr:first-child{border-top:0}
th[role=rowheader],td{border:0;padding:3px 12px}
th[role=rowheader]{grid-column:1/-1}
td{display:flex;gap:10px;align-items:baseline}
td::before{content:attr(data-head);color:var(--dim);font-size:13px;flex:0 0 112px}
td>div{min-width:0}
td.number{text-align:left}
td.empty{display:none}
.facts{grid-template-columns:repeat(auto-fill,minmax(min(100%,190px),1fr));gap:8px 14px}
}`

/** On a telephone the row of a source that is well is short: what is left out stands in its own part. */
const SMALL = `
@media (max-width:600px){
.tiles{grid-template-columns:repeat(2,minmax(0,1fr))}
.facts{grid-template-columns:repeat(auto-fill,minmax(min(100%,140px),1fr))}
#sources>table tr.ok td[data-head="Leases left"],#sources>table tr.ok td[data-head="Last proof of life"]{display:none}
}`

const PRINT = `
@media print{
body{background:#fff;padding:0;zoom:.75}
#refresh,#stale{display:none}
details.source::details-content{content-visibility:visible;display:block;block-size:auto}
.panel,.source,.trouble,tr{break-inside:avoid}
}`

export const STYLE = `:root{${COLOURS_LIGHT}}
@media (prefers-color-scheme:dark){:root{${COLOURS_DARK}}}
@media print{:root{${COLOURS_LIGHT}}}${GROUND}${HEAD}${PARTS}${WIDE}${NARROW}${SMALL}${PRINT}
`
