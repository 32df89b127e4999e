/** What `KEY.js` does, with whatever it carries: starts every fetch at once and hands over to the SDK. */
import { fromBase64 } from "../scoring/base64";
import { fetchEarly, load, type Carried } from "../parts";
import type { Config } from "../types";

declare global {
  interface Window {
    /** Written by the server, in front of this script. */
    rapportConfig?: Config;
    /** Parts of the bundle in base 64, where the server sends them along. */
    rapportData?: { readonly [part: string]: string };
  }
}

/** Code that the script brings along, which a page would otherwise fetch after it. */
export function run(carried: Carried): void {
  const { rapportConfig: given, rapportData: data = {} } = self;
  delete self.rapportConfig;
  delete self.rapportData;
  if (!given?.parts.sdk) return;
  const { dataset } = document.currentScript as HTMLElement;
  const config: Config = {
    ...given,
    ...("inspector" in dataset ? { inspector: true } : {}),
    ...settings(dataset["rapport"]),
  };
  const bytes = (part: string) => (data[part] === undefined ? undefined : fromBase64(data[part]));
  const early = fetchEarly(config, { ...carried, decision: bytes("decision"), flags: bytes("flags") });
  const fetched = (part: keyof typeof config.parts) => load(config, part, carried);
  void (fetched("sdk") as Promise<typeof import("../tag") | undefined>).then(
    (module) => module?.start(config, early, fetched),
    (error: unknown) => console.warn("rapport:", error),
  );
}

/** What the tag says in `data-rapport`. */
function settings(text = "{}"): Partial<Config> {
  try {
    return JSON.parse(text) as Partial<Config>;
  } catch (error) {
    console.warn("rapport: data-rapport is not JSON:", error);
    return {};
  }
}
