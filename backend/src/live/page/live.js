// The live page: listens to /v1/live and shows each visitor's score and the reasons for it.

const $ = (selector, root = document) => root.querySelector(selector);
const list = $("#visitors");
const rows = new Map();
const BANDS = { qualified: "Qualified", undecided: "Undecided", not: "Not yet" };
const MOST = 100;

start();

async function start() {
  const session = await ask("/v1/session");
  if (!session) return needSession();
  fillWorkspaces(session);
  listen();
  setInterval(() => rows.forEach(showTime), 5000);
  watchLag();
}

// Who may not know how far scores are behind is not told.
async function watchLag() {
  const status = await ask("/v1/profiles/status");
  const behind = $("#behind");
  behind.hidden = !status || status.lagSeconds <= 1 || status.folded === 0;
  if (!status) return;
  if (!behind.hidden) {
    const seconds = Math.round(status.lagSeconds);
    const time = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
    behind.textContent = `Scores are ${time} behind: ${status.lag.toLocaleString("en")} ${status.lag === 1 ? "event waits" : "events wait"} to be counted.`;
  }
  setTimeout(watchLag, 5000);
}

async function ask(address) {
  const response = await fetch(address).catch(() => undefined);
  return response?.ok ? response.json() : undefined;
}

function listen() {
  const source = new EventSource("/v1/live");
  source.addEventListener("snapshot", (event) => {
    link("live", "Live");
    list.replaceChildren();
    rows.clear();
    JSON.parse(event.data).reverse().forEach((visitor) => show(visitor, false));
    overview();
  });
  source.addEventListener("visitor", (event) => {
    show(JSON.parse(event.data), true);
    overview();
  });
  source.addEventListener("gone", (event) => {
    rows.get(event.data)?.item.remove();
    rows.delete(event.data);
    overview();
  });
  // The server ends the stream of who fell behind; the browser connects again, and a snapshot comes first.
  source.addEventListener("lagged", () => link("lost", "Catching up"));
  source.onerror = async () => {
    link("lost", "Reconnecting");
    if (source.readyState !== EventSource.CLOSED) return;
    if (!(await ask("/v1/session"))) return needSession();
    setTimeout(listen, 2000);
  };
}

function link(state, text) {
  $("#link").dataset.state = state;
  $("#link b").textContent = text;
}

/* One visitor */

function show(visitor, moved) {
  const row = rows.get(visitor.id) ?? addRow(visitor.id);
  const before = row.visitor;
  row.visitor = visitor;
  // Lines do not move away under a pointer or from a reader.
  if (!before || !list.matches(":hover, :focus-within")) list.prepend(row.item);
  while (rows.size > MOST) {
    const oldest = list.lastElementChild;
    rows.delete(oldest.dataset.id);
    oldest.remove();
  }
  const { item } = row;
  item.dataset.band = visitor.band;
  $(".score", item).textContent = visitor.score;
  $(".arc", item).style.strokeDasharray = `${visitor.score} 100`;
  $(".band", item).textContent = BANDS[visitor.band];
  $(".why", item).textContent = headline(visitor);
  $(".did", item).textContent = did(visitor.lastEvent);
  drawTrail($(".spark", item), visitor.trail);
  showDetail(item, visitor);
  showTime(row);
  if (!moved) return;
  item.classList.remove("moved");
  void item.offsetWidth; // Without a reflow in between the animation would not start again.
  item.classList.add("moved");
  if (before && before.band !== visitor.band) {
    $("#news").textContent = `${nameOf(visitor.id)} is now ${BANDS[visitor.band].toLowerCase()}, score ${visitor.score}`;
  }
}

function addRow(id) {
  const item = $("#visitor").content.firstElementChild.cloneNode(true);
  const [button, detail] = [$("button", item), $(".detail", item)];
  item.dataset.id = id;
  detail.id = `detail-${id}`;
  button.setAttribute("aria-controls", detail.id);
  $(".name", item).textContent = nameOf(id);
  button.addEventListener("click", () => {
    detail.hidden = !detail.hidden;
    button.setAttribute("aria-expanded", String(!detail.hidden));
  });
  const row = { item };
  rows.set(id, row);
  return row;
}

const nameOf = (id) => `Visitor ${id.slice(2, 6)}`;

function headline({ reasons }) {
  const strongest = reasons.filter((reason) => reason.points !== 0).slice(0, 3);
  return strongest.length ? strongest.map((reason) => reason.text).join(" · ") : "nothing tells yet";
}

const DID = new Map([["Engaged", "kept reading"], ["Clicked", "clicked"], ["Form Started", "started a form"], ["Form Submitted", "sent a form"]]);

function did({ kind, name, path }) {
  if (kind === "page") return path ? `saw ${path}` : `saw ${name || "a page"}`;
  if (kind === "identify") return "said who they are";
  return DID.get(name) ?? (name || kind);
}

function showTime({ item, visitor }) {
  const element = $("time", item);
  element.dateTime = new Date(visitor.lastEvent.at).toISOString();
  element.textContent = ago(visitor.lastEvent.at);
}

function ago(at) {
  const seconds = Math.max(0, Math.round((Date.now() - at) / 1000));
  if (seconds < 10) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

// Steps, not slopes: between two events the score stands still.
function drawTrail(svg, trail) {
  const points = trail.length > 1 ? trail : [trail[0] ?? [0, 0], trail[0] ?? [0, 0]];
  const x = (index) => (index / (points.length - 1)) * 120;
  const y = (score) => 34 - (score / 100) * 32;
  let line = `M0 ${y(points[0][1])}`;
  points.forEach(([, score], index) => (line += `H${x(index).toFixed(1)}V${y(score).toFixed(1)}`));
  $(".line", svg).setAttribute("d", line);
  $(".area", svg).setAttribute("d", `${line}V36H0Z`);
}

function showDetail(item, { score, base, rest, reasons, events, firstSeen, probability }) {
  const signed = (points) => (points > 0 ? `+${points}` : points < 0 ? `−${-points}` : "0");
  const all = rest ? [...reasons, { text: "everything else", points: rest }] : reasons;
  const raised = all.filter((reason) => reason.points > 0);
  const lowered = all.filter((reason) => reason.points < 0);
  const total = (list) => list.reduce((sum, reason) => sum + reason.points, 0);
  const bold = (text) => make("b", { textContent: text });
  $(".sum", item).replaceChildren(
    "Everybody starts at ", bold(base), "; what this visitor did adds ", bold(total(raised)), " and takes ", bold(-total(lowered)), " away: ", bold(score), ".",
  );
  const most = Math.max(1, ...all.map((reason) => Math.abs(reason.points)));
  const fill = (selector, chosen, nothing) => {
    const lines = chosen.map(({ text, points }) =>
      make("li", {}, [
        make("span", { textContent: text }),
        make("span", { className: "points", textContent: signed(points) }),
        make("span", { className: "meter" }, [make("i", {}, [], { width: `${(Math.abs(points) / most) * 100}%` })]),
      ]),
    );
    $(selector, item).replaceChildren(...(lines.length ? lines : [make("li", { className: "none", textContent: nothing })]));
  };
  fill(".up", raised, "Nothing yet.");
  fill(".down", lowered, "Nothing.");
  const chance = `${Math.round(probability * 100)} % likely to qualify`;
  $(".facts", item).textContent = `${chance} · ${events} ${events === 1 ? "event" : "events"} · first seen ${ago(firstSeen)}`;
}

function make(name, properties = {}, children = [], style = {}) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  Object.assign(element.style, style);
  return element;
}

/* The whole page */

async function overview() {
  const counts = { qualified: 0, undecided: 0, not: 0 };
  rows.forEach(({ visitor }) => counts[visitor.band]++);
  for (const [band, count] of Object.entries(counts)) $(`#counts [data-band="${band}"] b`).textContent = count;
  const empty = rows.size === 0;
  list.hidden = $("#counts").hidden = empty;
  if (!empty) $("#state").hidden = true;
  else if ($("#state").hidden) await teach();
}

function fillWorkspaces({ workspace, workspaces }) {
  const select = $("#workspace");
  select.replaceChildren(...workspaces.map(({ id, name }) => make("option", { value: id, textContent: name, selected: id === workspace })));
  select.disabled = workspaces.length < 2;
  select.addEventListener("change", async () => {
    const body = JSON.stringify({ workspace: select.value });
    await fetch("/v1/session", { method: "PUT", headers: { "content-type": "application/json" }, body });
    location.reload();
  });
}

function state(...children) {
  $("#state").replaceChildren(...children);
  $("#state").hidden = false;
  list.hidden = $("#counts").hidden = true;
}

function needSession() {
  $(".where").hidden = true;
  link("lost", "Signed out");
  state(
    make("h2", { textContent: "Open your owner link" }),
    make("p", { textContent: "Visitors are shown to people of the workspace only. The server printed a link when it first started; it works once. Stopped and started again like this, it prints a new one:" }),
    code("rapport serve --dir DIR --owner-link"),
    make("p", { textContent: "DIR is the data directory that it keeps everything in; give its other options as before." }),
  );
}

async function teach() {
  state(make("h2", { textContent: "Nobody here yet" }));
  const [bundle, keys] = await Promise.all([ask("/v1/bundles/current"), ask("/v1/keys")]);
  if (rows.size > 0) return;
  const steps = [];
  if (!bundle) {
    steps.push([make("span", { textContent: "Publish signals and a model, so that visitors can be scored. Until then events are kept and wait." }), code("POST /v1/bundles")]);
  }
  const key = keys?.keys.find((key) => key.role === "page")?.shown;
  const tag = `<script async src="${location.origin}/v1/sdk/${key ?? "YOUR-KEY"}.js"></scr` + "ipt>";
  steps.push([make("span", { textContent: "Put this line on the pages that you want to watch." }), code(tag)]);
  steps.push([make("span", { textContent: "Open one of them in another window and click around. The visitor appears here within a second, with a score and the reasons for it." })]);
  state(
    make("h2", { textContent: "Nobody here yet" }),
    make("p", { textContent: "Every visitor of your website becomes a line on this page: a score from 0 to 100, and in words what raised and what lowered it." }),
    make("ol", {}, steps.map((step) => make("li", {}, step))),
  );
}

function code(text) {
  const button = make("button", { type: "button", textContent: "Copy" });
  button.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  return make("div", { className: "code" }, [make("code", { textContent: text, tabIndex: 0 }), button]);
}
