/** Explains each event in the console: why it was sent, or why not. */
import type { Rapport } from "../rapport";
import type { Note, Noted, Step } from "../trace";

type Sentence = (because: string, count: number) => string;

const DROPPED: { readonly [because: string]: string } = {
  consent: "the visitor refuses analytics and profiling",
  crawler: "the user agent is a crawler's",
  automated: "the browser is automated, and the site drops those",
  "before-send": "the site's beforeSend returned null",
  full: "more waits than is kept, and this was the oldest",
};
const QUEUED: { readonly [way: string]: string } = {
  open: "consent allows it",
  cookieless: "it carries no id and leaves nothing in this browser",
};

const HINTS: { readonly [outcome: string]: string } = {
  taken: "counts from now on",
  ahead: "counts from now on, with what it does not hold yet on top; the next batch asks again",
  none: "did not come: the server has none, or not yet",
  unfolded: "came without a profile: the server has not folded all of it yet",
  refused: "is that the visitor refuses to be profiled",
  back: "gave this browser its old id back",
  garbage: "was left: it is not understood",
  long: "was left: it is too long",
  consent: "was left: the visitor no longer wants to be profiled",
  visitor: "was left: it is another visitor's",
  id: "was left: the id in it is none",
  expired: "was left: it has expired",
  older: "was left: it is older than what is here",
  bundle: "was left: it is for another bundle, which the next page takes",
  profile: "was left: its profile is damaged, or of another version",
  left: "was left: the page was hidden meanwhile, and nobody knows what went in",
};

const SENTENCES: { readonly [step in Step]: Sentence } = {
  held: () => "waits: consent is pending, and the site is strict",
  dropped: (because) => `was dropped: ${DROPPED[because] ?? `the plugin "${because}" refused it`}`,
  queued: (way) => `will be sent: ${QUEUED[way] ?? way}`,
  sent: (by, count) => `was given to the network in a ${by} of ${count}`,
  acknowledged: (answer) => `is with the server${said(answer)}`,
  rejected: (answer) => `was refused by the server, and is not sent again${said(answer)}`,
  retrying: (wait) => `is tried again in ${Math.round(Number(wait) / 100) / 10} s: the server could not be reached or asked to wait`,
  hints: (outcome) => `the server's view of this visitor ${HINTS[outcome] ?? outcome}`,
  consent: (said) => `consent is now ${said}`,
};

export function mount(rapport: Rapport): void {
  rapport.trace.listen((note) => {
    if (note.events.length === 0) console.info(`rapport: ${sentence(note)}`);
    for (const event of note.events) console.info(`rapport: ${name(event)} ${sentence(note)}`, event);
  });
}

function sentence({ step, because, events }: Note): string {
  return SENTENCES[step](because, events.length);
}

function name({ type, event, sequence }: Noted): string {
  return `${sequence === undefined ? "" : `#${sequence} `}${event === undefined ? type : `"${event}"`}`;
}

function said(answer: string): string {
  return answer.length > 2 ? `: ${answer.slice(0, 500)}` : "";
}
