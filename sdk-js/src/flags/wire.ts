/** Questions and values as the engine reads and writes them: core/src/experiment/numbers.rs. */
import type { Json, Visitor } from ".";
import { BANDS } from "./bands";

const NULL = 0;
const FALSE = 1;
const TRUE = 2;
const NUMBER = 3;
const TEXT = 4;
const LIST = 5;
const MAP = 6;

const DISABLED = 1;
const ONLY_FORCED = 2;
const ADDRESS = 4;
const FORCED = 8;
const STICKY = 16;
const TIME = 32;
const SCORED = 64;
const GRADED = 128;
/** The first attributes are core's own: nobody writes them. */
const OWN = 6;
/** What every object has a member of, whether somebody gave it one or not. */
const NOBODYS = Object.prototype;
/** Up to so many characters a loop is faster than the encoder. */
const SHORT = 48;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Writes questions straight into the engine's memory. */
export class Writer {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private at = 0;

  constructor(buffer: ArrayBufferLike, from: number, length: number) {
    this.bytes = new Uint8Array(buffer, from, length);
    this.view = new DataView(buffer, from, length);
  }

  /** Whether the memory is another one by now, as it is when it has grown. */
  get isGone(): boolean {
    return this.bytes.length === 0;
  }

  /** Writes a question that shows the attributes of these numbers; `undefined` where it does not fit. */
  question(reads: readonly number[], names: readonly string[], visitor: Visitor): number | undefined {
    try {
      this.at = 1;
      this.view.setUint8(0, this.head(visitor));
      const attributes = visitor.attributes ?? {};
      for (let index = 0; index < reads.length; index += 1) {
        const number = reads[index]!;
        if (number < OWN) continue;
        const name = names[number]!;
        const value = attributes[name];
        if (value === undefined || value === null || (name in NOBODYS && !Object.hasOwn(attributes, name))) continue;
        this.view.setUint16(this.at, number, true);
        this.at += 2;
        this.value(value);
      }
      return this.at;
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  private head({ url, enabled, qaMode, forcedVariations, stickyBucketAssignmentDocs, known }: Visitor): number {
    let bits = 0;
    if (enabled === false) bits |= DISABLED;
    if (qaMode) bits |= ONLY_FORCED;
    if (url) {
      bits |= ADDRESS;
      this.text(url);
    }
    if (forcedVariations) {
      bits |= FORCED;
      const forced = Object.entries(forcedVariations);
      this.count(forced.length);
      for (const [key, variation] of forced) {
        this.text(key);
        this.count(variation);
      }
    }
    if (stickyBucketAssignmentDocs) {
      bits |= STICKY;
      const entries = Object.values(stickyBucketAssignmentDocs).flatMap(({ attributeName, attributeValue, assignments }) =>
        Object.entries(assignments).map((assignment) => [attributeName, String(attributeValue), ...assignment]),
      );
      this.count(entries.length);
      for (const entry of entries) for (const text of entry) this.text(text);
    }
    if (known?.now !== undefined) {
      bits |= TIME;
      this.number(known.now);
      const shown = known.shown ? Object.entries(known.shown) : [];
      this.count(shown.length);
      for (const [experience, { times, last }] of shown) {
        this.text(experience);
        this.count(times);
        this.number(last);
      }
    }
    if (known?.score !== undefined) {
      bits |= SCORED;
      this.tag(known.score);
      this.tag(BANDS.indexOf(known.band ?? "undecided"));
    }
    if (known?.grade !== undefined) {
      bits |= GRADED;
      this.text(known.grade);
    }
    return bits;
  }

  private value(value: unknown): void {
    switch (typeof value) {
      case "string":
        this.tag(TEXT);
        return this.text(value);
      case "number":
        this.tag(NUMBER);
        return this.number(value);
      case "boolean":
        return this.tag(value ? TRUE : FALSE);
      case "object":
        if (value === null) return this.tag(NULL);
        if (value instanceof Date) return this.value(value.toJSON());
        if (Array.isArray(value)) {
          this.tag(LIST);
          this.count(value.length);
          for (const item of value) this.value(item);
          return;
        }
        return this.map(Object.entries(value).filter(([, member]) => member !== undefined));
      default:
        return this.tag(NULL);
    }
  }

  private map(members: [string, unknown][]): void {
    this.tag(MAP);
    this.count(members.length);
    for (const [name, member] of members) {
      this.text(name);
      this.value(member);
    }
  }

  private number(number: number): void {
    this.view.setFloat64(this.at, number, true);
    this.at += 8;
  }

  private tag(tag: number): void {
    this.view.setUint8(this.at, tag);
    this.at += 1;
  }

  private count(count: number): void {
    this.view.setUint32(this.at, count, true);
    this.at += 4;
  }

  private text(text: string): void {
    const { length } = text;
    const start = this.at + 4;
    if (length <= SHORT && start + length <= this.bytes.length) {
      let index = 0;
      for (; index < length; index += 1) {
        const code = text.charCodeAt(index);
        if (code > 127) break;
        this.bytes[start + index] = code;
      }
      if (index === length) {
        this.count(length);
        this.at += length;
        return;
      }
    }
    const { read, written } = encoder.encodeInto(text, this.bytes.subarray(start));
    if (read < length) throw new RangeError("the question is too long");
    this.count(written);
    this.at += written;
  }
}

/** The value that begins at a place of the bytes. */
export function read(bytes: Uint8Array, from: number): Json {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = from;
  const count = () => view.getUint32((at += 4) - 4, true);
  const text = () => {
    const length = count();
    return decoder.decode(bytes.subarray(at, (at += length)));
  };
  const value = (): Json => {
    switch (bytes[at++]) {
      case FALSE:
        return false;
      case TRUE:
        return true;
      case NUMBER:
        return view.getFloat64((at += 8) - 8, true);
      case TEXT:
        return text();
      case LIST:
        return Array.from({ length: count() }, value);
      case MAP:
        return Object.fromEntries(Array.from({ length: count() }, () => [text(), value()]));
      default:
        return null;
    }
  };
  return value();
}
