/** What the server decided, in React: the same on the server, while hydrating and afterwards. */
import { createContext, createElement, useCallback, useContext, useEffect, useState, useSyncExternalStore, type ReactNode } from "react";
import type { Json } from "../flags";
import { hydrate, type Hydrated, type Hydration } from "../hydration";
import { TAG, type Tracker } from "../hydration/tracker";
import type { Properties, Verdict } from "../types";

export type { Tracker } from "../hydration/tracker";

/** Content of a slot. */
export type Content = { readonly type: "text"; readonly text: string } | { readonly type: "html"; readonly html: string } | { readonly type: "json"; readonly json: Json };

export interface RapportProviderProps {
  /** `visit.dehydrate()` of the server. */
  readonly hydration: Hydration;
  /**
   * Tells exposures and brings newer scores; null while it is still to come.
   * Default: the script tag's `window.rapport`, now or as soon as it has loaded.
   */
  readonly rapport?: Tracker | null | undefined;
  readonly children?: ReactNode;
}

interface Held {
  readonly name: string;
  readonly hydrated: Hydrated;
}

const Held = createContext<Held | undefined>(undefined);
const Tracking = createContext<Tracker | null>(null);

/** Who is asked by the hooks below it. A page keeps what it was rendered with, until it is another visitor's or bundle's. */
export function RapportProvider({ hydration, rapport = TAG, children }: RapportProviderProps): ReactNode {
  const name = JSON.stringify([hydration.bundle, hydration.anonymousId]);
  const [held, setHeld] = useState<Held>(() => ({ name, hydrated: hydrate(hydration) }));
  if (held.name !== name) setHeld({ name, hydrated: hydrate({ ...hydration, told: [...hydration.told, ...held.hydrated.tellings] }) });
  const { hydrated } = held;
  useEffect(() => {
    if (!rapport) return;
    rapport.seen?.(hydrated.hydration.told);
    hydrated.tellBy((event, properties) => rapport.track(event, properties));
  }, [hydrated, rapport]);
  return createElement(Held.Provider, { value: held }, createElement(Tracking.Provider, { value: rapport }, children));
}

/** The feature's value, or `otherwise` where it is unknown or null; its exposures are told once it is on the page. */
export function useFeature<T extends Json>(key: string, otherwise: T): T {
  const { hydrated } = useHeld();
  useEffect(() => void hydrated.feature(key), [hydrated, key]);
  return (hydrated.peek(key).value ?? otherwise) as T;
}

/** The newest score with its reasons: the server's, and from the page's first decision on the page's. */
export function useDecision(): Verdict | undefined {
  const { hydrated } = useHeld();
  const tracker = useContext(Tracking);
  const subscribe = useCallback((changed: () => void) => tracker?.onDecision(changed) ?? (() => undefined), [tracker]);
  return useSyncExternalStore(
    subscribe,
    () => tracker?.decision ?? hydrated.verdict,
    () => hydrated.verdict,
  );
}

/** 0 to 100; absent where nobody is scored, or may be. */
export function useScore(): number | undefined {
  return useDecision()?.score;
}

/** What stands in a slot; absent where the default does. */
export function useSlot(name: string): Content | undefined {
  const content = useFeature<Json>(name, null);
  return isContent(content) ? content : undefined;
}

export interface SlotProps {
  readonly name: string;
  /** The element that holds HTML. Default: `div`. */
  readonly as?: string;
  /** The default content; a function gets the slot's JSON. */
  readonly children?: ReactNode | ((json: Json | undefined) => ReactNode);
}

/** A place for content that the workspace publishes; the children where it has none for this visitor. */
export function Slot({ name, as = "div", children }: SlotProps): ReactNode {
  const content = useSlot(name);
  if (typeof children === "function") return children(content?.type === "json" ? content.json : undefined);
  if (content?.type === "text") return content.text;
  // What is published was checked where it was authored, and signed.
  if (content?.type === "html") return createElement(as, { "data-rapport-shown": name, dangerouslySetInnerHTML: { __html: content.html } });
  return children;
}

/** Says that a server component shows a feature: its exposures are told once that is on the page. */
export function Seen({ name }: { readonly name: string }): null {
  useFeature<Json>(name, null);
  return null;
}

/** Says that the visitor did something. */
export function useTrack(): (event: string, properties?: Properties) => void {
  const { hydrated } = useHeld();
  return useCallback((event, properties = {}) => hydrated.track(event, properties), [hydrated]);
}

function useHeld(): Held {
  const held = useContext(Held);
  if (!held) throw new Error("there is no RapportProvider above this component");
  return held;
}

function isContent(value: Json): value is Content {
  const { type } = Object(value) as { type?: unknown };
  return type === "text" || type === "html" || type === "json";
}
