import * as wasm from "../../dist/engine/engine.js";
import type { Band, Reason, RapportEvent, Verdict } from "../types";
import { writeEvent } from "./wire";

const BANDS: readonly Band[] = ["not", "undecided", "qualified"];
/** Where a decision holds what, in numbers: see `wasm/src/lib.rs`. */
const HEAD = 7;
const PER_REASON = 3;
/** The longest event, and the longest decision in numbers. */
const INPUT_BYTES = 32 * 1024;
const OUTPUT_NUMBERS = HEAD + 5 * PER_REASON;

const decoder = new TextDecoder();

/** Bytes of a bundle's parts. */
export interface Bytes {
  readonly signals: Uint8Array;
  readonly model: Uint8Array;
  readonly words: Uint8Array;
}

/** The parts of the file in which pages get them: docs/bundle-format.md. */
export function split(file: Uint8Array): Bytes {
  const lengths = new DataView(file.buffer, file.byteOffset);
  let at = 12;
  const [signals, model, words] = [0, 4, 8].map((length) => file.subarray(at, (at += lengths.getUint32(length, true))));
  return { signals: signals!, model: model!, words: words! };
}

/** What features and experiments are asked of; one by one, so that nothing else of the engine's file comes along. */
export function askedOf(module: WebAssembly.Module) {
  const { memory } = wasm.initSync({ module });
  return { engine: { openFlags: wasm.openFlags, ask: wasm.ask, input: wasm.input }, memory };
}

/** The core, in the page. Every call is synchronous and takes microseconds. */
export class LocalEngine {
  private readonly memory: WebAssembly.Memory;
  private readonly number: number;

  /** Throws where the bytes are no bundle that this engine reads. */
  constructor(module: WebAssembly.Module, { signals, model, words }: Bytes) {
    this.memory = wasm.initSync({ module }).memory;
    this.number = wasm.open(signals, model, words);
    if (this.number === 0) throw new Error("the bundle is damaged, or newer than this engine");
  }

  /** Takes up a profile that was saved; false, and nothing changes, where the bytes are none. */
  restore(profile: Uint8Array): boolean {
    return wasm.restore(this.number, profile);
  }

  /** Sets a signal that only the server sets; NaN makes it missing. */
  give(signal: number, value: number): void {
    wasm.give(this.number, signal, value, 0);
  }

  /** The profile as bytes to keep. */
  save(): Uint8Array {
    return wasm.save(this.number);
  }

  /** Starts anew, with a visitor of whom nothing is known. */
  forget(): void {
    wasm.forget(this.number);
  }

  /** Folds an event into the profile and decides; `undefined` where the event is refused. */
  apply(event: RapportEvent, time: number): Verdict | undefined {
    const input = new Uint8Array(this.memory.buffer, wasm.input(), INPUT_BYTES);
    const length = writeEvent(event, time, input);
    const at = length === undefined ? 0 : wasm.apply(this.number, length);
    return at === 0 ? undefined : this.verdict(at);
  }

  /** Decides on the profile as it is at `time`. */
  decide(time: number): Verdict {
    return this.verdict(wasm.decide(this.number, time));
  }

  private verdict(at: number): Verdict {
    const numbers = new Float64Array(this.memory.buffer, at, OUTPUT_NUMBERS);
    const [score = 0, probability = 0, band = 0, base = 0, rest = 0, texts = 0, count = 0] = numbers;
    const reasons: Reason[] = [];
    let from = texts;
    for (let next = HEAD; next < HEAD + count * PER_REASON; next += PER_REASON) {
      const length = numbers[next + 2]!;
      const text = decoder.decode(new Uint8Array(this.memory.buffer, from, length));
      reasons.push({ signal: numbers[next]!, points: numbers[next + 1]!, text });
      from += length;
    }
    return { score, probability, band: BANDS[band] ?? "undecided", base, reasons, rest };
  }
}
