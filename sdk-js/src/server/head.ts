/** What stands in a page's head, where a server makes the page. */
import { at } from "../parts";
import type { Config, Settings } from "../types";

export interface HeadOptions extends Settings {
  /** Where pages reach the backend, such as a path of the site's own. Default: what the configuration says. */
  readonly endpoint?: string;
  /** For a policy that allows scripts by it. */
  readonly nonce?: string;
}

/**
 * The script tag, and the engines that it will ask for, so that a first visit fetches everything at once. `config` is what
 * `/v1/sdk/KEY.json` says: ask for it anew every minute, as browsers do for `KEY.js`.
 */
export function headOf(config: Config, { endpoint = config.endpoint, nonce, ...settings }: HeadOptions = {}): string {
  const { wasm, decision, flags, flagsWasm } = config.parts;
  const address = (path: string) => escaped(at(endpoint, settings.paths, path));
  const once = nonce === undefined ? "" : ` nonce="${escaped(nonce)}"`;
  // As the script has it: nobody scores without a model, and nothing is personalized without flags.
  const engines = [decision && wasm, flags && flagsWasm].filter((part) => part !== undefined);
  const data = escaped(JSON.stringify({ endpoint, ...settings }));
  return [
    // What runs comes first, and runs while the rest is on its way.
    `<script async fetchpriority="high"${once} src="${address(`/v1/sdk/${config.key}.js`)}" data-rapport="${data}"></script>`,
    ...engines.map((part) => `<link rel="preload" as="fetch" crossorigin href="${address(part)}">`),
  ].join("\n");
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
