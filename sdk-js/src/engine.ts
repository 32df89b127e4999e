import { Engine, initSync } from "../dist/engine/engine.js";
import type { Band, Reason, RapportEvent } from "./types";
import { writeEvent } from "./wire";

/** Bytes of a bundle's parts. */
export interface Bytes {
  readonly signals: Uint8Array;
  readonly model: Uint8Array;
  readonly words: Uint8Array;
}

/** A decision as the engine makes it. */
export interface Verdict {
  readonly score: number;
  readonly probability: number;
  readonly band: Band;
  readonly base: number;
  readonly reasons: readonly Reason[];
  readonly rest: number;
}

const BANDS: readonly Band[] = ["not", "undecided", "qualified"];
const HEAD = 6;
const PER_REASON = 3;

const decoder = new TextDecoder();

/** The core, in the page. Every call is synchronous and takes microseconds. */
export class LocalEngine {
  private readonly memory: WebAssembly.Memory;
  private readonly engine: Engine;

  /** Throws where the bytes are no bundle that this engine reads. */
  constructor(module: WebAssembly.Module, bytes: Bytes) {
    this.memory = initSync({ module }).memory;
    this.engine = new Engine(bytes.signals, bytes.model, bytes.words);
  }

  /** Takes up a profile that was saved; a damaged one starts anew and answers false. */
  restore(profile: Uint8Array): boolean {
    return this.engine.restore(profile);
  }

  /** The profile as bytes to keep. */
  save(): Uint8Array {
    return this.engine.save();
  }

  forget(): void {
    this.engine.forget();
  }

  /** Folds an event into the profile and decides; `undefined` where the event is refused. */
  apply(event: RapportEvent, time: number): Verdict | undefined {
    const input = new Uint8Array(this.memory.buffer, this.engine.input(), this.engine.input_length());
    const length = writeEvent(event, time, input);
    return length !== undefined && this.engine.apply(length) ? this.verdict() : undefined;
  }

  /** Decides on the profile as it is at `time`. */
  decide(time: number): Verdict {
    this.engine.decide(time);
    return this.verdict();
  }

  private verdict(): Verdict {
    const buffer = this.memory.buffer;
    const numbers = new Float64Array(buffer, this.engine.numbers(), this.engine.numbers_length());
    const texts = new Uint8Array(buffer, this.engine.texts(), this.engine.texts_length());
    const [score = 0, probability = 0, band = 0, base = 0, rest = 0, count = 0] = numbers;
    const reasons: Reason[] = [];
    let from = 0;
    for (let at = HEAD; at < HEAD + count * PER_REASON; at += PER_REASON) {
      const until = from + numbers[at + 2]!;
      const text = decoder.decode(texts.subarray(from, until));
      reasons.push({ signal: numbers[at]!, points: numbers[at + 1]!, text });
      from = until;
    }
    return { score, probability, band: BANDS[band] ?? "undecided", base, reasons, rest };
  }
}
