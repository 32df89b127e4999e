/** A published bundle: its signed manifest, and its parts under their hashes. */
import { createHash, createPublicKey, verify } from "node:crypto";

/** Why a bundle is refused. Nothing of a refused bundle is used. */
export class BundleError extends Error {
  override readonly name = "BundleError";
}

/** A bundle in one JSON file, for hosts without a network. */
export interface BundleFile {
  /** The bytes that are signed, as text. */
  readonly manifest: string;
  /** Ed25519, in base 64. */
  readonly signature: string;
  /** What the signature is verified with, in base 64. */
  readonly publicKey: string;
  /** Parts in base 64, by their hash. */
  readonly parts: { readonly [hash: string]: string };
}

export type Signed = Pick<BundleFile, "manifest" | "signature" | "publicKey">;

/** What an engine opens. Without a model, or a key to it, nobody is scored; without flags there are no features. */
export interface BundleParts {
  readonly signals?: Uint8Array;
  readonly model?: Uint8Array;
  /** Scores in the place of a brought model. */
  readonly fallback?: Uint8Array;
  readonly words?: Uint8Array;
  readonly flags?: Uint8Array;
}

/** A model that the workspace brought, which only its server can run. */
export interface Brought {
  readonly name: string;
  /** What scores where the server cannot be asked. */
  readonly fallback: string;
}

/** A bundle that was verified. */
export interface Bundle {
  /** SHA-256 of the manifest. */
  readonly hash: string;
  /** What later bundles of this workspace are verified with. */
  readonly publicKey: string;
  readonly parts: BundleParts;
  /** Absent where the workspace's own model is live. */
  readonly brought?: Brought | undefined;
}

interface ManifestPart {
  readonly kind: string;
  readonly name?: string;
  readonly default?: boolean;
  readonly hash: string;
  /** Whether pages may read it too. */
  readonly public: boolean;
}

/** Brings a part; nothing where it is private, and not for whoever asks. */
type FetchPart = (part: Pick<ManifestPart, "hash" | "public">) => Promise<Uint8Array | undefined>;

const KINDS = ["signals", "model", "fallback", "words", "flags"] as const;
/** The highest format that this SDK reads. */
const FORMAT = 1;

/**
 * Verifies a manifest and fetches what it names. `trusted` is the key that the caller pinned; without one
 * the key that comes along is taken, which proves that nothing was damaged, not who published it.
 */
export async function openBundle(
  { manifest, signature, publicKey }: Signed,
  trusted: string | undefined,
  fetchPart: FetchPart,
): Promise<Bundle> {
  const key = trusted ?? publicKey;
  if (!signed(manifest, signature, key)) throw new BundleError("the manifest is not signed by the key of this workspace: take the key from its settings");
  const named = partsOf(manifest);
  const found = await Promise.all(KINDS.flatMap((kind) => first(kind, named) ?? []).map(async (part) => ({ ...part, bytes: await fetchPart(part) })));
  const parts = found.flatMap(({ kind, hash, bytes }) => {
    if (!bytes) return [];
    if (sha256(bytes) !== hash) throw new BundleError(`the part ${kind} is not what the manifest names: fetch the bundle again`);
    return [[kind, bytes] as const];
  });
  const [brought, fallback] = [first("brought", named), first("fallback", named)];
  return {
    hash: sha256(manifest),
    publicKey: key,
    parts: Object.fromEntries(parts),
    brought: brought && { name: brought.name ?? "", fallback: fallback?.name ?? "" },
  };
}

/** Reads a bundle from a file's content. */
export function openFile(content: string | Uint8Array, trusted: string | undefined): Promise<Bundle> {
  const file = fileOf(typeof content === "string" ? content : Buffer.from(content).toString());
  return openBundle(file, trusted, async ({ hash, public: shared }) => {
    const part = file.parts[hash];
    // Whoever wrote the file may have had no key to what is private.
    if (part === undefined && !shared) return undefined;
    if (part === undefined) throw new BundleError(`the file lacks the part ${hash}: write it again`);
    return Buffer.from(part, "base64");
  });
}

export function sha256(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function partsOf(manifest: string): ManifestPart[] {
  const { format, parts } = JSON.parse(manifest) as { format: number; parts: ManifestPart[] };
  if (format > FORMAT) throw new BundleError(`the bundle has format ${format}, newer than this SDK: update it`);
  return parts;
}

/** Of a kind the default part, or the first. */
function first(kind: string, parts: ManifestPart[]): ManifestPart | undefined {
  const candidates = parts.filter((part) => part.kind === kind);
  return candidates.find((part) => part.default) ?? candidates[0];
}

function signed(manifest: string, signature: string, publicKey: string): boolean {
  try {
    const x = Buffer.from(publicKey, "base64").toString("base64url");
    const key = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x } });
    return verify(null, Buffer.from(manifest), key, Buffer.from(signature, "base64"));
  } catch {
    return false;
  }
}

function fileOf(text: string): BundleFile {
  let file: Partial<BundleFile>;
  try {
    file = Object(JSON.parse(text)) as Partial<BundleFile>;
  } catch {
    throw new BundleError("the file is not JSON: name one that `rapport bundle compile` wrote");
  }
  const { manifest, signature, publicKey, parts } = file;
  if (typeof manifest !== "string" || typeof signature !== "string" || typeof publicKey !== "string" || typeof parts !== "object") {
    throw new BundleError("the file holds no bundle: name one that `rapport bundle compile` wrote");
  }
  return file as BundleFile;
}
