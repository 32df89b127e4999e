/** What a host sees: settings, decisions, and the events that the SDK makes. */

import type { Choice, ConsentSettings } from "./consent";
import type { Plugin } from "./plugins";

export interface Options extends Settings {
  /** The workspace's write key. */
  readonly key: string;
  /** Where the workspace's backend answers: an address, with a path where a proxy stands before it. */
  readonly endpoint: string;
}

/** What a site decides about tracking; a script tag gives it as JSON in `data-rapport`. */
export interface Settings {
  /** Track without code. Default: everything but web vitals. */
  readonly autocapture?: boolean | Autocapture;
  /** Show the inspector panel. Default: only where the address has `?rapport-inspect`. */
  readonly inspector?: boolean;
  /** Explain each event in the console. Default: only where the address has `?rapport-debug`. */
  readonly debug?: boolean;
  readonly consent?: ConsentSettings;
  /** Without an id and without storage: always, or for visitors who refuse. Default: never. */
  readonly cookieless?: "always" | "on-reject";
  /** Share the visitor between the subdomains of this domain, by cookies. Default: no cookie. */
  readonly cookieDomain?: string;
  /** Hosts (and their subdomains) that a visitor may be followed to by a link. */
  readonly linkDomains?: readonly string[];
  /** What becomes of crawlers and automated browsers. Default: `filter` drops crawlers and marks automation. */
  readonly bots?: "filter" | "drop" | "keep";
  /** What stands in place of a path's beginning, such as `{"/v1/events": "/c"}` behind a proxy of the site's own. */
  readonly paths?: { readonly [start: string]: string };
  /** What the site knows of the visitor, for the conditions of what is shown to whom. */
  readonly attributes?: Properties;
  /** So long (milliseconds) slots wait for the server where the page may not run the engine. Default: 200. */
  readonly patience?: number;
  /** Run the scripts of experiments, where the page's policy lets them. Default: false. */
  readonly scripts?: boolean;
  readonly plugins?: readonly Plugin[];
  /** The last word on each event: another event, or null to drop it. */
  readonly beforeSend?: (event: RapportEvent) => RapportEvent | null;
}

export interface Autocapture {
  readonly pages?: boolean;
  /** `marked`: only inside `[data-rapport-allow]`. */
  readonly clicks?: boolean | "marked";
  readonly forms?: boolean;
  /** What a submitted form says about its visitor. Default: true. */
  readonly identify?: boolean;
  /** Traits by the names of fields, beside `data-rapport-trait` and `autocomplete`. */
  readonly traits?: { readonly [field: string]: string };
  readonly engagement?: boolean;
  /** Default: false. */
  readonly vitals?: boolean;
}

/** Names the parts of the workspace's bundle; answered by `/v1/sdk/KEY.json`. */
export interface Config extends Options {
  /** Hash of the bundle that the parts belong to. */
  readonly bundle?: string;
  readonly parts: Parts;
}

/** Addresses of immutable files, absolute or relative to the endpoint. */
export interface Parts {
  readonly sdk?: string;
  readonly scoring?: string;
  readonly wasm?: string;
  readonly inspector?: string;
  readonly visit?: string;
  readonly forms?: string;
  readonly vitals?: string;
  readonly links?: string;
  readonly platforms?: string;
  readonly debug?: string;
  /** Signals, model and words of the bundle. */
  readonly decision?: string;
  /** Features and experiments, where the bundle has any. */
  readonly flags?: string;
  readonly flagsWasm?: string;
  readonly personalize?: string;
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
  /** The server set the value, not what happened here: a CRM's word, say. */
  readonly server?: boolean;
  /** One standard error of the points, where a brought model's reasons are sampled. */
  readonly error?: number;
}

/** A score with its explanation. */
export interface Verdict {
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
  /** The name of the model that scored, where the workspace brought one: that one, or its fallback. */
  readonly scoredBy?: string;
  /** What went wrong with the brought model: docs/models.md. */
  readonly fault?: string;
}

/** What is known of a visitor now. A page's score is provisional: the backend's fold counts. */
export interface Decision extends Verdict {
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
  readonly id?: string;
};

export type ClickIds = { readonly [name: string]: string };

/** How a visit came. */
export type Touch = {
  /** GA4's default channel group. */
  readonly channel: string;
  readonly source: string;
  readonly medium: string;
  readonly campaign?: string;
  readonly term?: string;
  readonly content?: string;
  readonly id?: string;
  readonly clickIds?: ClickIds;
  /** Host of the page that linked here. */
  readonly referrer?: string;
  /** Path of the first page. */
  readonly landing: string;
  /** Milliseconds since 1970. */
  readonly at: number;
};

export type Context = {
  readonly page: PageContext;
  readonly campaign?: Campaign | undefined;
  readonly clickIds?: ClickIds | undefined;
  readonly locale: string;
  readonly groupId?: string | undefined;
  /** True granted, false denied, absent: what the workspace has as default. */
  readonly consent?: Choice | undefined;
  /** Milliseconds since 1970 at which the visit began. */
  readonly sessionId?: number | undefined;
  /** An automated browser, by this sign. */
  readonly bot?: string | undefined;
};

/** An event in the Segment shape. */
export interface RapportEvent {
  readonly type: EventType;
  readonly messageId: string;
  /** Absent without cookies: the server derives one for a day. */
  readonly anonymousId?: string | undefined;
  readonly userId?: string | undefined;
  readonly groupId?: string | undefined;
  readonly previousId?: string | undefined;
  /** Proves an `identify`: made by the customer's server. */
  readonly token?: string | undefined;
  /** The name of a `track` event. */
  readonly event?: string | undefined;
  readonly properties?: Properties | undefined;
  readonly traits?: Properties | undefined;
  /** ISO 8601, by the visitor's clock. */
  readonly timestamp: string;
  /** Counts this browser's events: their order, whatever the clock does. */
  readonly sequence: number;
  readonly context: Context;
}
