/** Flags with the engine that answers for them. */
import { Flags, type FlagOptions } from ".";
import * as wasm from "../../dist/engine/flags/engine.js";

/** Throws where the bytes are no flags that this engine reads. */
export function openFlags(module: WebAssembly.Module, bytes: Uint8Array, options?: FlagOptions): Flags {
  const { memory } = wasm.initSync({ module });
  // One by one, so that nothing else of the engine's file comes along.
  return new Flags({ openFlags: wasm.openFlags, ask: wasm.ask, input: wasm.input }, memory, bytes, options);
}
