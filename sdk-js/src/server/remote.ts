/** Bundles from a server: asked for, or told of; the one at hand stays where the server fails. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { BundleError, openBundle, openFile, sha256, type Bundle, type BundleFile, type Signed } from "./bundle";

export interface RemoteOptions {
  /** The workspace's write key. */
  readonly key: string;
  readonly endpoint: string;
  /** A secret key (owner, admin or developer): fetches models that no page may have, and asks for scores of brought ones. */
  readonly secretKey?: string | undefined;
  /** The workspace's public key in base 64: pin it. Without one the first bundle's is taken for good. */
  readonly publicKey?: string | undefined;
  /** A file that keeps the newest bundle, and opens it where the server cannot be reached. */
  readonly cache?: string | undefined;
  /** What stands in place of the global `fetch`. */
  readonly fetch?: typeof fetch | undefined;
}

/** What runs in the background. Default: nothing; `refresh()` asks. */
export interface Background {
  /** Milliseconds between questions. */
  readonly every?: number;
  /** Hear of bundles as they are published. */
  readonly stream?: boolean;
}

type Config = Partial<Signed> & { readonly bundle?: string | null };

const PATIENCE_MS = 10_000;
/** Larger than any bundle that a backend publishes. */
const MOST_BYTES = 16 * 1024 * 1024;
const RECONNECT_MS = 1_000;
const RECONNECT_MOST_MS = 60_000;

export class Remote {
  private etag: string | undefined;
  private newest: { readonly bundle: Bundle; readonly file: BundleFile } | undefined;
  private trusted: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  private readonly ended = new AbortController();
  private readonly endpoint: string;
  private readonly request: typeof fetch;

  constructor(private readonly options: RemoteOptions) {
    this.endpoint = options.endpoint.replace(/\/$/, "");
    this.request = options.fetch ?? fetch;
    this.trusted = options.publicKey;
  }

  /** The bundle to begin with: the server's, or the one that was kept. */
  async first(): Promise<Bundle> {
    try {
      const bundle = await this.fetch();
      if (bundle) return bundle;
      throw new Error("the workspace has published nothing yet");
    } catch (error) {
      const kept = this.options.cache && (await readFile(this.options.cache, "utf8").catch(() => undefined));
      if (!kept) throw error;
      const bundle = await openFile(kept, this.trusted);
      this.trusted = bundle.publicKey;
      return bundle;
    }
  }

  /** The newest bundle; nothing where it is the one at hand. */
  async fetch(): Promise<Bundle | undefined> {
    const { key, secretKey } = this.options;
    const headers: Record<string, string> = this.etag === undefined ? {} : { "if-none-match": this.etag };
    const answer = await this.get(`/v1/sdk/${encodeURIComponent(key)}.json`, headers);
    if (answer.status === 304) return undefined;
    const { bundle: hash, manifest, signature, publicKey } = JSON.parse(Buffer.from(await bytesOf(answer)).toString()) as Config;
    const etag = answer.headers.get("etag") ?? undefined;
    if (manifest === undefined || signature === undefined || publicKey === undefined) return undefined;
    if (this.newest && sha256(manifest) === this.newest.bundle.hash) return undefined;
    const before = this.newest?.file.parts ?? {};
    const parts: Record<string, string> = {};
    const bundle = await openBundle({ manifest, signature, publicKey }, this.trusted, async ({ hash, public: shared }) => {
      if (!shared && secretKey === undefined) return undefined;
      // Parts never change: what the last bundle had need not travel again.
      const held = before[hash];
      const fetched = () => (shared ? this.get(`/v1/parts/${encodeURIComponent(key)}/${hash}.bin`) : this.get(`/v1/bundles/parts/${hash}`, { authorization: `Bearer ${secretKey}` }));
      const bytes = held === undefined ? await bytesOf(await fetched()) : Buffer.from(held, "base64");
      parts[hash] = Buffer.from(bytes).toString("base64");
      return bytes;
    });
    if (hash && hash !== bundle.hash) throw new BundleError("the server names another bundle than it signs: ask again");
    this.etag = etag;
    this.trusted = bundle.publicKey;
    this.newest = { bundle, file: { manifest, signature, publicKey, parts } };
    await this.keep();
    return bundle;
  }

  /** Calls back when there may be a new bundle, from now until `stop`. The process need not wait for it. */
  watch({ every, stream }: Background, look: () => Promise<unknown>): void {
    const quiet = () => look().catch(() => undefined);
    if (stream) void this.listen(quiet);
    if (every === undefined) return;
    const again = () => {
      // Servers that started together need not ask together.
      this.timer = setTimeout(() => void quiet().finally(() => this.ended.signal.aborted || again()), every * (0.9 + Math.random() / 5)).unref();
    };
    again();
  }

  stop(): void {
    this.ended.abort();
    clearTimeout(this.timer);
  }

  private async listen(look: () => Promise<unknown>): Promise<void> {
    const { signal } = this.ended;
    const address = `${this.endpoint}/sub/${encodeURIComponent(this.options.key)}`;
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        const answer = await this.request(address, { headers: { accept: "text/event-stream" }, signal });
        if (!answer.ok || !answer.body) throw new Error(`${address} answered ${answer.status}`);
        // Something may have been published while nobody listened.
        await look();
        for await (const event of eventsOf(answer.body)) {
          failures = 0;
          if (event !== "") await look();
        }
      } catch {
        // Broken off: listened to again below.
      }
      if (signal.aborted) return;
      const wait = Math.min(RECONNECT_MS * 2 ** failures, RECONNECT_MOST_MS) * (0.5 + Math.random() / 2);
      await new Promise<void>((resolve) => {
        this.timer = setTimeout(resolve, wait).unref();
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  private async get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    const answer = await this.request(this.endpoint + path, { headers, signal: AbortSignal.any([this.ended.signal, AbortSignal.timeout(PATIENCE_MS)]) });
    if (answer.ok || answer.status === 304) return answer;
    await answer.body?.cancel();
    const message = `${this.endpoint}${path.replace(this.options.key, "KEY")} answered ${answer.status}`;
    // Asking again helps where the server fails, not where it knows nobody by this key.
    throw answer.status < 500 && answer.status !== 408 && answer.status !== 429 ? new BundleError(message) : new Error(message);
  }

  /** Whoever reads the file finds the old bundle or the new one, whole. */
  private async keep(): Promise<void> {
    const { cache } = this.options;
    if (cache === undefined || !this.newest) return;
    const written = `${cache}.${process.pid}.tmp`;
    // A disk that is full costs the next start its bundle, not this one.
    await writeFile(written, JSON.stringify(this.newest.file)).then(() => rename(written, cache)).catch(() => undefined);
  }
}

async function bytesOf(answer: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of answer.body ?? []) {
    length += chunk.length;
    if (length > MOST_BYTES) throw new BundleError(`${answer.url} answered more than ${MOST_BYTES} bytes`);
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks);
}

/** The data of each event of a stream; comments, which only keep it open, are none. */
async function* eventsOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true }).replace(/\r\n?/g, "\n");
    const events = text.split("\n\n");
    // What never ends is no event.
    text = (events.pop() ?? "").slice(-65_536);
    for (const event of events) yield event.split("\n").filter((line) => line.startsWith("data:")).join("\n");
  }
}
