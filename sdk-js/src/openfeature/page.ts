/** A workspace's flags in a page that brings its own tracker, or none. */
import type { Flags } from "../flags";
import { openFlags } from "../flags/engine";
import { experimentSeen, markOf } from "../flags/exposure";
import type { Properties } from "../types";
import { resolvable, visitorOf, type Resolvable } from "./resolution";

export interface PageFlagsOptions {
  /** The workspace's write key. */
  readonly key: string;
  /** Where the workspace's backend answers. */
  readonly endpoint: string;
  readonly track?: (event: string, properties: Properties) => void;
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

  private constructor(
    readonly bundle: string,
    private readonly flags: Flags,
  ) {}

  static async open({ key, endpoint, track }: PageFlagsOptions): Promise<PageFlags> {
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
    const page: PageFlags = new PageFlags(
      bundle,
      openFlags(module, new Uint8Array(bytes), {
        onExposure: (exposure) => {
          const seen = experimentSeen(exposure, bundle);
          const name = markOf(seen);
          if (page.told.has(name)) return;
          page.told.add(name);
          track?.(seen.event, seen.properties);
        },
      }),
    );
    return page;
  }

  answer(key: string, context: { readonly [name: string]: unknown }): Resolvable {
    return resolvable(this.flags.feature(key, { ...visitorOf(context), known: { now: Date.now() } }), this.flags.isFixed(key));
  }
}
