/** For the customer's own server: decides as the page does, reports what visitors saw, and proves who is signed in. */
export { openRapport, type OpenOptions } from "./open";
export { Rapport, type Decided } from "./rapport";
export { Visit } from "./visit";
export type { Said, Visitor } from "./visitor";
export { headOf, type HeadOptions } from "./head";
export { browserOf, type Browser } from "./browser";
export { BundleError, type BundleFile } from "./bundle";
export type { TrackOptions } from "./outbox";
export { identityToken, type TokenOptions } from "./token";
export type { Hydration } from "../hydration";
export type { Exposure, Feature, Json, Result, Source, StickyDocument } from "../flags";
export type { Band, Reason, Verdict } from "../types";
