/** One bundle's engine: asked synchronously, one visitor after the other. */
import fresh from "fresh:engine";
import type { Exposure, Feature, Flags, Json } from "../flags";
import { experienceSeen, experimentSeen, type Seen } from "../flags/exposure";
import { fromBase64 } from "../scoring/base64";
import type { LocalEngine } from "../scoring/engine";
import type { RapportEvent, Verdict } from "../types";
import type { Brought, Bundle } from "./bundle";
import { asked, personal, profiled, type Visitor } from "./visitor";

const UNKNOWN: Feature = { value: null, on: false, off: true, source: "unknownFeature", ruleId: "" };

/** What answers for scores, and what for features and experiments. */
export interface Modules {
  readonly scores: WebAssembly.Module;
  readonly flags: WebAssembly.Module;
}

export class Deciding {
  readonly hash: string;
  /** What this host cannot run: the fallback scores where nobody asked the server. */
  readonly brought: Brought | undefined;
  private readonly scorer: LocalEngine | undefined;
  private readonly flags: Flags | undefined;
  private heard: ((exposure: Exposure) => void) | undefined;
  /** In a test: everybody's. */
  always: Verdict | undefined;

  /** Throws where the parts are none that this engine reads. */
  constructor({ scores, flags: asked }: Modules, { hash, brought, parts: { signals, model: own, fallback, words, flags } }: Bundle) {
    const { LocalEngine, openFlags } = fresh();
    this.hash = hash;
    this.brought = brought;
    const model = brought ? fallback : own;
    if (signals && model && words) this.scorer = new LocalEngine(scores, { signals, model, words });
    if (flags) this.flags = openFlags(asked, flags, { onExposure: (exposure) => this.heard?.(exposure) });
  }

  /** Absent where the bundle has no model, and for who refuses profiling. */
  verdict(visitor: Visitor): Verdict | undefined {
    const { always, brought } = this;
    if (!profiled(visitor)) return undefined;
    if (always || !brought) return always ?? this.scored(visitor);
    const fault = this.fault(visitor);
    if (fault === undefined) return visitor.said?.verdict;
    const own = this.scored(visitor);
    // What reasons there are is worked out where somebody reads them.
    return own && Object.defineProperties({ scoredBy: brought.fallback, fault } as unknown as Verdict, Object.getOwnPropertyDescriptors(own));
  }

  /** Why the server's score is not what decides, where it would be the one to give it. */
  fault(visitor: Visitor): string | undefined {
    const { said } = visitor;
    if (!this.brought || this.always || !profiled(visitor) || said?.verdict) return undefined;
    return said ? said.fault : "absent";
  }

  /** What has happened to a visitor, as bytes; absent where no model of this bundle is here. */
  folded(visitor: Visitor): Uint8Array | undefined {
    this.fold(visitor);
    return this.scorer?.save();
  }

  private scored(visitor: Visitor): Verdict | undefined {
    this.fold(visitor);
    return this.scorer?.decide(visitor.now ?? Date.now());
  }

  private fold({ profile, events = [], now = Date.now() }: Visitor): void {
    const { scorer } = this;
    if (!scorer) return;
    scorer.forget();
    const bytes = typeof profile === "string" ? fromBase64(profile) : profile;
    if (profile !== undefined && !(bytes && scorer.restore(bytes))) throw new TypeError("the visitor's profile is none of this bundle: ask the backend for it anew");
    for (const event of events) {
      const { timestamp = new Date(now).toISOString(), messageId = "", context = {} } = event;
      scorer.apply({ ...event, timestamp, messageId, context } as RapportEvent, Date.parse(timestamp));
    }
  }

  get keys(): readonly string[] {
    return this.flags?.keys ?? [];
  }

  get readsScore(): boolean {
    return this.flags?.readsScore === true;
  }

  /** Whether the feature is the same for everybody. */
  isFixed(key: string): boolean {
    return this.flags?.isFixed(key) === true;
  }

  /** What a feature is; `hear` hears of what showing it would be to tell, `exposed` the exposures among it. */
  feature(key: string, visitor: Visitor, hear?: (seen: Seen) => void, exposed?: (exposure: Exposure) => void): Feature {
    const { flags, hash } = this;
    if (!flags) return UNKNOWN;
    if (!personal(visitor)) return flags.standard(key);
    this.heard = (exposure) => {
      hear?.(experimentSeen(exposure, hash));
      exposed?.(exposure);
    };
    try {
      const feature = flags.feature(key, this.fed(visitor));
      if (feature.source === "force" && flags.isExperience(feature.ruleId)) hear?.(experienceSeen(feature.ruleId, hash));
      return feature;
    } finally {
      this.heard = undefined;
    }
  }

  /** The feature's value, or `otherwise` where it is unknown or null; `hear` hears the exposures. */
  value<T extends Json>(key: string, otherwise: T, visitor: Visitor, hear?: (exposure: Exposure) => void): T {
    const { flags } = this;
    if (!flags) return otherwise;
    if (!personal(visitor)) return (flags.standard(key).value ?? otherwise) as T;
    this.heard = hear;
    try {
      return flags.value(key, otherwise, this.fed(visitor));
    } finally {
      this.heard = undefined;
    }
  }

  /** With what only the engine says of a visitor. */
  private fed(visitor: Visitor): Visitor {
    if (!this.flags!.readsKnown) return asked(visitor);
    const { score, band } = this.flags!.readsScore ? (this.verdict(visitor) ?? {}) : {};
    return { ...asked(visitor), known: { ...visitor.known, now: visitor.now ?? Date.now(), score, band } };
  }
}
