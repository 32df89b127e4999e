/** Who is asked about. */
import type { Choice } from "../consent";
import type { Visitor as Asked } from "../flags";
import type { Properties, RapportEvent, Verdict } from "../types";

export interface Visitor extends Asked {
  /** The browser's id, as the page's tracker keeps it. */
  readonly anonymousId?: string | undefined;
  /** Who is signed in. */
  readonly userId?: string | undefined;
  /** What is known so far, as bytes or base 64: the page's and the backend's form. */
  readonly profile?: Uint8Array | string | undefined;
  /** What happened since, oldest first. */
  readonly events?: readonly PastEvent[] | undefined;
  /** What the visitor chose; purposes left out are allowed. */
  readonly consent?: Choice | undefined;
  /** Milliseconds since 1970. Default: the clock. */
  readonly now?: number | undefined;
  /** What the workspace's server said of them: `ask` puts it there. */
  readonly said?: Said | undefined;
}

/** What a server answers that was asked for a score. */
export interface Said {
  /** Absent where nobody scores the visitor, or may. */
  readonly verdict?: Verdict;
  /** Why there is no answer: `time`, `absent` (not reached, or it refuses) or `nonsense`. */
  readonly fault?: string;
}

/** An event of a visitor. */
export type PastEvent = Pick<RapportEvent, "type"> & {
  readonly event?: string;
  /** ISO 8601. Default: now. */
  readonly timestamp?: string;
  readonly messageId?: string;
  readonly properties?: Properties;
  readonly traits?: Properties;
  readonly context?: Partial<RapportEvent["context"]>;
};

/** The visitor with ids among the attributes; `id` is the browser's, so that nobody changes arms by signing in. */
export function asked(visitor: Visitor): Asked {
  const { anonymousId, userId, attributes } = visitor;
  if (anonymousId === undefined && userId === undefined) return visitor;
  return { ...visitor, attributes: { id: anonymousId ?? userId, anonymousId, userId, ...attributes } };
}

/** Whether the visitor may be shown anything but the default. */
export function personal({ consent }: Visitor): boolean {
  return consent?.personalization !== false;
}

/** Whether the visitor may be scored. */
export function profiled({ consent }: Visitor): boolean {
  return consent?.profiling !== false;
}
