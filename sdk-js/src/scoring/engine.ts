import * as wasm from "../../dist/engine/scores/engine.js";
import { BANDS } from "../flags/bands";
import type { Reason, RapportEvent, Verdict } from "../types";
import { writeEvent } from "./wire";

/** Where a decision holds what, in numbers: see `wasm/src/lib.rs`. */
const SCORED = 3;
const HEAD = 7;
const PER_REASON = 3;
/** The longest event, and the longest explanation in numbers. */
const INPUT_BYTES = 32 * 1024;
const OUTPUT_NUMBERS = HEAD + 5 * PER_REASON;

/** What a verdict says only when it is asked. */
type Why = Pick<Verdict, "base" | "reasons" | "rest">;

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

/** The core, in the page. Every call is synchronous and takes microseconds. */
export class LocalEngine {
  private readonly memory: WebAssembly.Memory;
  private readonly number: number;
  /** What the engine has not been taught to explain yet. */
  private untaught: Bytes | undefined;
  /** The profile as it is, where somebody has asked since it changed. */
  private saved: Uint8Array | undefined;

  /** Throws where the bytes are no bundle that this engine reads. */
  constructor(module: WebAssembly.Module, bytes: Bytes) {
    this.memory = wasm.initSync({ module }).memory;
    this.number = wasm.open(bytes.signals, bytes.model);
    if (this.number === 0) throw new Error("the bundle is damaged, or newer than this engine");
    this.untaught = bytes;
  }

  /** Takes up a profile that was saved; false, and nothing changes, where the bytes are none. */
  restore(profile: Uint8Array): boolean {
    this.saved = undefined;
    return wasm.restore(this.number, profile);
  }

  /** Sets a signal that only the server sets; NaN makes it missing. */
  give(signal: number, value: number): void {
    this.saved = undefined;
    wasm.give(this.number, signal, value, 0);
  }

  /** The profile as bytes to keep. */
  save(): Uint8Array {
    return (this.saved ??= wasm.save(this.number));
  }

  /** Starts anew, with a visitor of whom nothing is known. */
  forget(): void {
    this.saved = undefined;
    wasm.forget(this.number);
  }

  /** Folds an event into the profile and decides; `undefined` where the event is refused. */
  apply(event: RapportEvent, time: number): Verdict | undefined {
    this.saved = undefined;
    const input = new Uint8Array(this.memory.buffer, wasm.input(), INPUT_BYTES);
    const length = writeEvent(event, time, input);
    const at = length === undefined ? 0 : wasm.apply(this.number, length);
    return at === 0 ? undefined : this.verdict(at, time);
  }

  /** Decides on the profile as it is at `time`. */
  decide(time: number): Verdict {
    return this.verdict(wasm.decide(this.number, time), time);
  }

  /** Its reasons are worked out when somebody reads them, whatever happened meanwhile: most visits pass without. */
  private verdict(at: number, time: number): Verdict {
    const [score = 0, probability = 0, band = 0] = new Float64Array(this.memory.buffer, at, SCORED);
    const profile = this.save();
    let known: Why | undefined;
    const why = () => (known ??= this.explain(profile, time) ?? { base: score, reasons: [], rest: 0 });
    return {
      score,
      probability,
      band: BANDS[band] ?? "undecided",
      get base() { return why().base; },
      get reasons() { return why().reasons; },
      get rest() { return why().rest; },
    };
  }

  private explain(profile: Uint8Array, time: number): Why | undefined {
    if (this.untaught) {
      const { signals, model, words } = this.untaught;
      this.untaught = undefined;
      if (!wasm.teach(this.number, signals, model, words)) console.warn("rapport: no reasons: the bundle's words are damaged");
    }
    const at = wasm.explain(this.number, profile, time);
    if (at === 0) return undefined;
    const numbers = new Float64Array(this.memory.buffer, at, OUTPUT_NUMBERS);
    const [base = 0, rest = 0, texts = 0, count = 0] = numbers.subarray(SCORED);
    const decoder = new TextDecoder();
    const reasons: Reason[] = [];
    let from = texts;
    for (let next = HEAD; next < HEAD + count * PER_REASON; next += PER_REASON) {
      const length = numbers[next + 2]!;
      const text = decoder.decode(new Uint8Array(this.memory.buffer, from, length));
      reasons.push({ signal: numbers[next]!, points: numbers[next + 1]!, text });
      from += length;
    }
    return { base, reasons, rest };
  }
}
