/** TypeScript's types of a workspace's features, slots and events. */
import { read } from "../flags/wire";

type Members = { readonly [name: string]: unknown };

/** Texts beyond so many are any text. */
const LITERALS = 20;

/** What a bundle says, authored or published: `rapport types FILE`. Throws where it is neither. */
export function typesOf(file: unknown): string {
  const { parts, manifest, flags, features, signals = [] } = members(file);
  if (parts !== undefined && typeof manifest === "string") return written(published(members(parts), manifest), new Map());
  if (flags === undefined && features === undefined) throw new TypeError("the file is no bundle: it has neither `flags` nor `features` nor parts");
  return written(authored(members(flags ?? file)), eventsOf(list(signals)));
}

/** Values by features, and which of these are slots. */
interface Known {
  readonly values: Map<string, unknown[]>;
  readonly slots: Set<string>;
}

function authored({ features, experiences }: Members): Known {
  const values = new Map<string, unknown[]>(Object.entries(members(features)).map(([key, feature]) => {
    const { defaultValue = null, rules } = members(feature);
    const shown = list(rules).map(members).flatMap(({ force, variations }) => [...(force === undefined ? [] : [force]), ...list(variations)]);
    return [key, [defaultValue, ...shown]];
  }));
  const slots = new Set<string>();
  for (const { slot, content, variations } of list(experiences).map(members)) {
    if (typeof slot !== "string") continue;
    slots.add(slot);
    values.set(slot, [...(values.get(slot) ?? [null]), ...(content === undefined ? list(variations) : [content])]);
  }
  return { values, slots };
}

/** Of what is published the flags say what they are about: docs/flags-format.md. */
function published(parts: Members, manifest: string): Known {
  const described = list(members(JSON.parse(manifest))["parts"]).map(members).find(({ kind }) => kind === "flags");
  const part = described && parts[String(described["hash"])];
  if (typeof part !== "string") return { values: new Map(), slots: new Set() };
  const { features, experiments, experiences } = members(read(Buffer.from(part, "base64"), 12));
  const values = new Map(list(features).map(members).map(({ key, default: otherwise, rules }) => [
    String(key),
    [otherwise, ...list(rules).map(members).flatMap(({ value }) => (value === undefined ? [] : [value]))],
  ]));
  for (const { feature, variations } of list(experiments).map(members)) values.get(String(feature))?.push(...list(variations).map((one) => members(one)["value"]));
  const slots = list(experiences).map((one) => members(one)["slot"]).filter((slot): slot is string => typeof slot === "string");
  return { values, slots: new Set(slots) };
}

/** The properties that signals read, by the events that they count. */
function eventsOf(signals: readonly unknown[]): Map<string, Set<string>> {
  const events = new Map<string, Set<string>>();
  for (const { when, field } of signals.map(members)) {
    const { event, where } = members(when);
    const fields = [field, ...list(where).map((one) => members(one)["field"])];
    for (const name of list(event ?? []).concat(typeof event === "string" ? [event] : [])) {
      const known = events.get(String(name)) ?? new Set();
      for (const path of fields) if (typeof path === "string" && path.startsWith("properties.")) known.add(path.slice("properties.".length));
      events.set(String(name), known);
    }
  }
  return events;
}

function written({ values, slots }: Known, events: Map<string, Set<string>>): string {
  const features = [...values].sort().map(([key, shown]) => `  readonly ${JSON.stringify(key)}: ${typeOf(shown)};\n`);
  const tracked = [...events].sort().map(([name, properties]) => {
    const known = [...properties].sort().map((property) => `readonly ${JSON.stringify(property)}?: Json; `);
    return `  readonly ${JSON.stringify(name)}: { ${known.join("")}readonly [name: string]: Json | undefined };\n`;
  });
  return `// Written by \`rapport types\`: write it again when the workspace has changed.
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export type Content = { readonly type: "text"; readonly text: string } | { readonly type: "html"; readonly html: string } | { readonly type: "json"; readonly json: Json };

/** What each feature may be. */
export interface Features {
${features.join("")}}
export type FeatureKey = keyof Features;
export type SlotName = ${union([...slots].sort().map((slot) => JSON.stringify(slot)))};

/** The events that signals count, and the properties that they read. */
export interface Events {
${tracked.join("")}}
export type EventName = keyof Events;
`;
}

function typeOf(values: readonly unknown[]): string {
  const types = new Set(values.map((value) => {
    if (value === null || typeof value === "string") return JSON.stringify(value);
    if (typeof value !== "object") return typeof value;
    return ["text", "html", "json"].includes(String(members(value)["type"])) ? "Content" : "Json";
  }));
  const texts = [...types].filter((type) => type.startsWith('"'));
  return union(texts.length > LITERALS ? [...types].filter((type) => !texts.includes(type)).concat("string") : [...types]);
}

function union(types: readonly string[]): string {
  return types.length === 0 ? "never" : types.join(" | ");
}

function members(value: unknown): Members {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Members) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
