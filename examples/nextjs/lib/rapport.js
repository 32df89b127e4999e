// One bundle for the whole server: middleware and components decide by the same one.
import { openRapport } from "rapport/server";

export const KEY = process.env.RAPPORT_KEY;
export const ENDPOINT = process.env.RAPPORT_ENDPOINT;

export function rapport() {
  globalThis.openedRapport ??= openRapport({ key: KEY, endpoint: ENDPOINT, publicKey: process.env.RAPPORT_PUBLIC_KEY, refresh: { every: 60_000 } });
  return globalThis.openedRapport;
}

/** Who asks, as middleware told the components behind it. */
export async function visitOf(headers) {
  const anonymousId = headers.get("x-rapport-id") ?? undefined;
  return (await rapport()).visit({ anonymousId, attributes: { language: headers.get("accept-language")?.slice(0, 2) } });
}
