/** A workspace's flags in a page that brings its own tracker, or none. */
import type { Flags } from "../flags";
import { openFlags } from "../flags/engine";
import { experienceSeen, experimentSeen, markOf, type Seen } from "../flags/exposure";
import type { Tracker } from "../hydration/tracker";
import type { Properties } from "../types";
import { resolvable, visitorOf, type Resolvable } from "./resolution";

export interface PageFlagsOptions {
  /** The workspace's write key. */
  readonly key: string;
  /** Where the workspace's backend answers. */
  readonly endpoint: string;
  /** Tells what is seen. */
  readonly track?: ((event: string, properties: Properties) => void) | undefined;
  /** Knows the visitor's score. */
  readonly rapport?: Pick<Tracker, "decision"> | undefined;
}

interface Config {
  readonly bundle?: string | null;
  readonly parts: { readonly flags?: string; readonly flagsWasm?: string };
}

/** Asking again would not help. */
export class Refused extends Error {}

/** Asked synchronously, with whatever context: nothing is fetched when that changes. */
export class PageFlags {
  private readonly told = new Set<string>();
  private readonly flags: Flags;

  private constructor(
    readonly bundle: string,
    module: WebAssembly.Module,
    bytes: Uint8Array,
    private readonly options: PageFlagsOptions,
  ) {
    this.flags = openFlags(module, bytes, { onExposure: (exposure) => this.tell(experimentSeen(exposure, bundle)) });
  }

  static async open(options: PageFlagsOptions): Promise<PageFlags> {
    const { key, endpoint } = options;
    const get = async (address: string) => {
      const answer = await fetch(new URL(address, endpoint));
      const message = `${answer.url.replace(key, "KEY")} answered ${answer.status}`;
      if (!answer.ok) throw answer.status < 500 ? new Refused(message) : new Error(message);
      return answer;
    };
    const { bundle, parts } = (await (await get(`/v1/sdk/${encodeURIComponent(key)}.json`)).json()) as Config;
    if (!bundle || !parts.flags || !parts.flagsWasm) throw new Error("the workspace has published no features yet");
    const [module, bytes] = await Promise.all([
      get(parts.flagsWasm).then((answer) => WebAssembly.compileStreaming(answer)),
      get(parts.flags).then((answer) => answer.arrayBuffer()),
    ]);
    return new PageFlags(bundle, module, new Uint8Array(bytes), options);
  }

  /** The keys of all features, where a new score may change any. */
  get scored(): readonly string[] {
    return this.flags.readsScore ? this.flags.keys : [];
  }

  answer(key: string, context: { readonly [name: string]: unknown }): Resolvable {
    const { score, band } = this.options.rapport?.decision ?? {};
    const feature = this.flags.feature(key, { ...visitorOf(context), known: { now: Date.now(), score, band } });
    if (feature.source === "force" && this.flags.isExperience(feature.ruleId)) this.tell(experienceSeen(feature.ruleId, this.bundle));
    return resolvable(feature, this.flags.isFixed(key));
  }

  private tell(seen: Seen): void {
    const mark = markOf(seen);
    if (this.told.has(mark)) return;
    this.told.add(mark);
    this.options.track?.(seen.event, seen.properties);
  }
}
