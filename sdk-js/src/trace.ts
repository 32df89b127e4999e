import type { RapportEvent } from "./types";

/** What became of an event, or of something else worth explaining. */
export type Step =
  | "held"
  | "dropped"
  | "queued"
  | "sent"
  | "acknowledged"
  | "rejected"
  | "retrying"
  | "consent"
  | "hints";

export interface Note {
  readonly step: Step;
  /** A word that the debug part turns into a sentence. */
  readonly because: string;
  readonly events: readonly Noted[];
}

/** An event, or what would have become one. */
export type Noted = Pick<RapportEvent, "type"> & Partial<RapportEvent>;

/** Tells the debug part what happened; costs nothing without it. */
export class Trace {
  private notes: Note[] = [];
  private listener: ((note: Note) => void) | undefined;

  constructor(private readonly wanted: boolean) {}

  note(step: Step, because: string, ...events: readonly Noted[]): void {
    if (!this.wanted) return;
    const note = { step, because, events };
    if (this.listener) this.listener(note);
    else this.notes.push(note);
  }

  /** Tells what the server said of each event. */
  answered(answer: Response, events: readonly RapportEvent[]): void {
    if (this.wanted) void answer.clone().text().then((text) => this.note(answer.ok ? "acknowledged" : "rejected", text, ...events));
  }

  /** Hears all notes from the first one on. */
  listen(listener: (note: Note) => void): void {
    this.listener = listener;
    this.notes.splice(0).forEach(listener);
  }
}
