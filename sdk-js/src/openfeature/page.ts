/** A workspace's flags in a page that brings its own tracker, or none. */
import type { Exposure, Flags } from "../flags";
import { openFlags } from "../flags/engine";
import type { Tracker } from "../hydration/tracker";
import { Memory, type Kept } from "../personalize/memory";
import { Showings } from "../personalize/showings";
import type { Properties } from "../types";
import { resolvable, visitorOf, type Resolvable } from "./resolution";

export interface PageFlagsOptions {
  /** The workspace's write key. */
  readonly key: string;
  /** Where the workspace's backend answers. */
  readonly endpoint: string;
  /** Tells what is seen. */
  readonly track?: ((event: string, properties: Properties) => void) | undefined;
  /** Knows the visitor's score and consent, and keeps what they were shown. */
  readonly rapport?: Pick<Tracker, "decision" | "consents" | "consentTo" | "storage"> | undefined;
}

interface Config {
  readonly bundle?: string | null;
  readonly parts: { readonly flags?: string; readonly flagsWasm?: string };
}

/** Asking again would not help. */
export class Refused extends Error {}

/** Asked synchronously, with whatever context: nothing is fetched when that changes. */
export class PageFlags {
  private readonly flags: Flags;
  private readonly heard: Exposure[] = [];
  private readonly memory: Memory;
  private showings: Showings;
  /** Showings as they were when this page was opened: what is shown does not end itself. */
  private shown: ReturnType<Memory["shown"]> = {};
  private page: string | undefined;

  private constructor(
    readonly bundle: string,
    module: WebAssembly.Module,
    bytes: Uint8Array,
    private readonly options: PageFlagsOptions,
  ) {
    const { rapport } = options;
    this.flags = openFlags(module, bytes, { onExposure: (exposure) => this.heard.push(exposure) });
    this.memory = new Memory(storageOf(() => rapport?.storage));
    this.showings = this.opened();
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

  get keys(): readonly string[] {
    return this.flags.keys;
  }

  /** The keys of all features, where a new score may change any. */
  get scored(): readonly string[] {
    return this.flags.readsScore ? this.keys : [];
  }

  answer(key: string, context: { readonly [name: string]: unknown }): Resolvable {
    const { flags, memory } = this;
    const { rapport } = this.options;
    const fixed = flags.isFixed(key);
    if (rapport?.consents?.allows("personalization") === false) {
      if (rapport.consentTo?.("personalization") === "denied") memory.forget();
      return resolvable(flags.standard(key), fixed);
    }
    this.look();
    const visitor = visitorOf(context);
    const { score, band } = rapport?.decision ?? {};
    const known = { now: Date.now(), score, band, shown: this.shown };
    const stickyBucketAssignmentDocs = memory.documents(visitor.attributes);
    this.heard.length = 0;
    const feature = flags.feature(key, { ...visitor, known, stickyBucketAssignmentDocs });
    const { showings } = this;
    showings.saw(this.heard.splice(0), showings.experienceOf(feature), visitor.attributes);
    return resolvable(feature, fixed);
  }

  /** Each page, or route of one, counts anew. */
  private look(): void {
    const { pathname, search } = globalThis.location ?? {};
    const page = `${pathname}${search}`;
    if (page === this.page) return;
    if (this.page !== undefined) this.showings = this.opened();
    this.page = page;
    this.shown = this.memory.shown();
  }

  private opened(): Showings {
    const { flags, memory, bundle, options } = this;
    const source = { bundle, isExperience: (key: string) => flags.isExperience(key), remember: flags.remember.bind(flags) };
    return new Showings(source, memory, (seen, again) => {
      if (!again) options.track?.(seen.event, seen.properties);
    });
  }
}

/** Of a tracker that may come later, or never: then all is kept as long as the page. */
function storageOf(tracker: () => Tracker["storage"]): Kept {
  const own = new Map<string, object>();
  return {
    read: (name) => tracker()?.read(name) ?? (own.get(name) as ReturnType<Kept["read"]>) ?? {},
    write: (name, entry) => {
      const storage = tracker();
      if (storage) storage.write(name, entry);
      else own.set(name, entry);
    },
    remove: (name) => {
      tracker()?.remove(name);
      own.delete(name);
    },
  };
}
