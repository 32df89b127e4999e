/** What a host sees: options, decisions, and the events that the SDK makes. */

export interface Options {
  /** The workspace's write key. */
  readonly key: string;
  /** Where the workspace's backend answers, as an origin with an optional path. */
  readonly endpoint: string;
  /** Track page views, clicks, forms and engaged time without code. Default: true. */
  readonly autocapture?: boolean;
  /** Show the inspector panel. Default: only where the address has `?rapport-inspect`. */
  readonly inspector?: boolean;
}

/** Names the parts of the workspace's bundle; answered by `/v1/sdk/KEY.json`. */
export interface Config {
  readonly key: string;
  readonly endpoint: string;
  /** Hash of the bundle that the parts belong to. */
  readonly bundle?: string;
  readonly parts: Parts;
}

/** Addresses of immutable files, absolute or relative to the endpoint. */
export interface Parts {
  readonly sdk?: string;
  readonly wasm?: string;
  readonly inspector?: string;
  readonly signals?: string;
  readonly model?: string;
  readonly words?: string;
}

export type Band = "qualified" | "undecided" | "not";

/** One signal's share of a score. */
export interface Reason {
  /** The signal's stable id. */
  readonly signal: number;
  /** In words, with the visitor's own values. */
  readonly text: string;
  /** Whole points that the signal adds (or takes). */
  readonly points: number;
}

/** What is known of a visitor now. A page's score is provisional: the backend's fold counts. */
export interface Decision {
  /** 0 to 100. */
  readonly score: number;
  /** That this visitor qualifies, 0 to 1. */
  readonly probability: number;
  readonly band: Band;
  /** The score of a visitor of whom nothing is known. */
  readonly base: number;
  /** The strongest reasons, strongest first. */
  readonly reasons: readonly Reason[];
  /** Points of all signals that `reasons` leaves out: base + reasons + rest = score. */
  readonly rest: number;
  /** Against the score before it, from page to page. */
  readonly change: number;
  /** What caused it: an event's name, or what made the SDK look again. */
  readonly cause: string;
  /** Where it was made. */
  readonly source: "page" | "server";
  /** The last event that went in, where one did. */
  readonly messageId?: string;
  /** Milliseconds since 1970. */
  readonly asOf: number;
  /** From the event to this decision, in milliseconds. */
  readonly took: number;
}

export type Scalar = string | number | boolean | null;
export type Json = Scalar | readonly Json[] | { readonly [name: string]: Json };
export type Properties = { readonly [name: string]: Json };

export type EventType = "page" | "track" | "identify" | "group" | "alias";

export type PageContext = {
  readonly url: string;
  readonly path: string;
  readonly search: string;
  readonly title: string;
  readonly referrer: string;
};

/** The `utm_` parameters of an address. */
export type Campaign = {
  readonly source?: string;
  readonly medium?: string;
  readonly name?: string;
  readonly term?: string;
  readonly content?: string;
};

/** An event in the Segment shape. */
export interface RapportEvent {
  readonly type: EventType;
  readonly messageId: string;
  readonly anonymousId: string;
  readonly userId?: string;
  readonly groupId?: string;
  readonly previousId?: string;
  /** The name of a `track` event. */
  readonly event?: string;
  readonly properties?: Properties;
  readonly traits?: Properties;
  /** ISO 8601, by the visitor's clock. */
  readonly timestamp: string;
  /** Counts this browser's events: their order, whatever the clock does. */
  readonly sequence: number;
  readonly context: {
    readonly page: PageContext;
    readonly campaign?: Campaign;
    readonly locale: string;
  };
}
