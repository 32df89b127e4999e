import type { EventType, Json, RapportEvent } from "../types";

/** The compact form of an event (docs/event-format.md), written straight into the engine's memory. */
const VERSION = 1;
const KINDS: Record<EventType, number> = { track: 0, page: 1, identify: 2, group: 3, alias: 4 };
const NUMBER = 0;
const TEXT = 1;
const FALSE = 2;
const TRUE = 3;
const COUNT_AT = 2;
const MAX_DEPTH = 6;

const encoder = new TextEncoder();

/**
 * Writes `event` into `bytes` and returns its length; `undefined` where it does not fit.
 * What else may be wrong with an event, the engine says.
 */
export function writeEvent(event: RapportEvent, time: number, bytes: Uint8Array): number | undefined {
  try {
    return new Writer(bytes).event(event, time);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

class Writer {
  private readonly view: DataView;
  private at = 0;
  private fields = 0;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  event(event: RapportEvent, time: number): number {
    this.u8(VERSION);
    this.u8(KINDS[event.type]);
    this.at += 2;
    this.view.setBigInt64(this.at, BigInt(Math.trunc(time)), true);
    this.at += 8;
    this.text(event.event ?? "");
    this.text(event.messageId);
    this.object("context", event.context, 1);
    this.object("properties", event.properties ?? {}, 1);
    this.object("traits", event.traits ?? {}, 1);
    this.view.setUint16(COUNT_AT, this.fields, true);
    return this.at;
  }

  private object(path: string, members: object, depth: number): void {
    for (const [name, value] of Object.entries(members) as [string, Json | undefined][]) this.field(`${path}.${name}`, value, depth);
  }

  private field(path: string, value: Json | undefined, depth: number): void {
    if (value === null || value === undefined) return;
    if (Array.isArray(value)) return this.field(`${path}.length`, value.length, depth);
    if (typeof value === "object") {
      if (depth >= MAX_DEPTH) throw new RangeError(`${path} nests too deep`);
      return this.object(path, value, depth + 1);
    }
    this.fields += 1;
    this.text(path);
    if (typeof value === "number") {
      this.u8(NUMBER);
      this.view.setFloat64(this.at, value, true);
      this.at += 8;
    } else if (typeof value === "string") {
      this.u8(TEXT);
      this.text(value);
    } else {
      this.u8(value ? TRUE : FALSE);
    }
  }

  private u8(value: number): void {
    this.view.setUint8(this.at, value);
    this.at += 1;
  }

  private text(text: string): void {
    const from = this.at + 2;
    const { read, written } = encoder.encodeInto(text, this.bytes.subarray(from));
    if (read < text.length) throw new RangeError("the event is too long");
    this.view.setUint16(this.at, written, true);
    this.at = from + written;
  }
}
