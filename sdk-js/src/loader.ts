/** The script tag's file: starts every fetch at once and hands over to the SDK. */
import { fetchEarly, load } from "./parts";
import type { Config } from "./types";

declare global {
  interface Window {
    /** Written by the server, in front of this file. */
    rapportConfig?: Config;
  }
}

const given = self.rapportConfig;
delete self.rapportConfig;
const script = document.currentScript;

if (given?.parts.sdk) {
  const { dataset } = script as HTMLElement;
  const config: Config = {
    ...given,
    ...("inspector" in dataset ? { inspector: true } : {}),
    ...settings(dataset["rapport"]),
  };
  const early = fetchEarly(config);
  load<typeof import("./tag")>(config, "sdk").then(
    (module) => module?.start(config, early, (part) => load(config, part)),
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
