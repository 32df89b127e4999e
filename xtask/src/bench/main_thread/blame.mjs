// Whose a page's main-thread time is, by the trace of its thread.

/** The page's own work, whoever takes part in it: reading its text, its load event, drawing. */
const PAGES = /^(ParseHTML|MarkLoad|MarkDOMContent|BeginMainThreadFrame|PrePaint|Paint|Layerize|Commit)$/;

/**
 * Milliseconds of CPU of the thread that parsed the page at `url`. `named`: what scripts and resources from `origin`
 * caused; a task that names nothing but them is theirs as a whole, with its microtasks, its compiling and its garbage,
 * and of one that the page shares what is inside theirs. `nameless`: tasks that name nobody. `all`: everything.
 */
export function blame(events, url, origin) {
  const page = events.find(({ name, args }) => name === "ParseHTML" && args.beginData?.url === url);
  if (!page) throw new Error(`no page in the trace of ${url}`);
  const own = events.filter(({ pid, tid }) => pid === page.pid && tid === page.tid);
  const theirs = naming(own, origin);
  const namesPage = naming(own, new URL(url).origin);
  const pages = (event) => PAGES.test(event.name) || namesPage(event);
  const spent = { all: 0, named: 0, nameless: 0 };
  for (const task of nested(own)) {
    spent.all += task.time;
    const shared = within(task, pages);
    if (!within(task, theirs)) spent.nameless += shared ? 0 : task.time;
    else for (const part of shared ? outermost(task, theirs) : [task]) spent.named += part.time;
  }
  return spent;
}

/** Says of an event whether it names something of an origin: by address, by request, by timer. */
function naming(events, origin) {
  const from = (event) => JSON.stringify(event.args).includes(origin);
  const known = new Set();
  const keys = ({ requestId, timerId } = {}) => [requestId && `request ${requestId}`, timerId && `timer ${timerId}`].filter(Boolean);
  for (const event of events) {
    if (/^(ResourceSendRequest|TimerInstall)$/.test(event.name) && from(event)) keys(event.args.data).forEach((key) => known.add(key));
  }
  return (event) => from(event) || keys(event.args.data).some((key) => known.has(key));
}

/** The thread's tasks, with what happened in each, in milliseconds of the thread's CPU. */
function nested(events) {
  const tasks = [];
  const open = [];
  const order = events.filter(({ ph }) => ph === "X" || ph === "I").sort((a, b) => a.ts - b.ts || (b.dur ?? 0) - (a.dur ?? 0));
  for (const { name, args, ts, dur = 0, tdur = 0, ph } of order) {
    while (open.length > 0 && open.at(-1).end <= ts) open.pop();
    const event = { name, args, time: tdur / 1_000, end: ts + dur, inside: [] };
    const into = open.at(-1)?.inside ?? (name === "RunTask" ? tasks : undefined);
    into?.push(event);
    if (into && ph === "X") open.push(event);
  }
  return tasks;
}

function within(event, is) {
  return is(event) || event.inside.some((one) => within(one, is));
}

function outermost(event, is) {
  return is(event) ? [event] : event.inside.flatMap((one) => outermost(one, is));
}
