/** The script tag's file: starts every fetch at once and hands over to the SDK. */
import { fetchEarly, partUrl } from "./fetching";
import type { Config } from "./types";

declare global {
  interface Window {
    /** Written by the server, in front of this file. */
    rapportConfig?: Config;
  }
}

const config = self.rapportConfig;
delete self.rapportConfig;
const script = document.currentScript;

if (config?.parts.sdk) {
  const early = fetchEarly(config);
  const inspector = script instanceof HTMLElement && "inspector" in script.dataset;
  const sdk = partUrl(config.endpoint, config.parts.sdk);
  import(sdk).then(
    (module: typeof import("./index")) => module.start(config, early, inspector),
    (error: unknown) => console.warn("rapport:", error),
  );
}
