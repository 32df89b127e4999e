import type { RapportEvent } from "./types";

/** Code of the site that takes part in tracking. What fails in it costs that plugin's part, nothing else. */
export interface Plugin {
  /** Names it where events are explained. */
  readonly name: string;
  /** Called before anything is made of a call: false drops it. */
  before?(event: RapportEvent): boolean | void;
  /** Returns the event with something added. Its ids stay as they were. */
  enrich?(event: RapportEvent): RapportEvent | void;
  /** Gets each event that is sent. */
  destination?(event: RapportEvent): void;
}

/** The plugins of a page, in the order in which they came. */
export class Plugins {
  private readonly all: Plugin[] = [];

  add(plugin: Plugin): void {
    this.all.push(plugin);
  }

  /** The event as the plugins want it, or the name of the one that dropped it. */
  pass(event: RapportEvent): RapportEvent | string {
    for (const plugin of this.all) {
      if (attempt(() => plugin.before?.(event)) === false) return plugin.name;
    }
    return this.all.reduce((event, plugin) => kept(event, attempt(() => plugin.enrich?.(event))), event);
  }

  deliver(event: RapportEvent): void {
    for (const plugin of this.all) attempt(() => plugin.destination?.(event));
  }
}

/** `changed` with the ids that make an event count once, and for whom. */
export function kept(event: RapportEvent, changed: RapportEvent | void): RapportEvent {
  if (!changed) return event;
  const { messageId, sequence } = event;
  return { ...changed, messageId, sequence };
}

/** What the site's code returns; its errors are shown as its own. */
export function attempt<Value>(action: () => Value): Value | undefined {
  try {
    return action();
  } catch (error) {
    reportError(error);
    return undefined;
  }
}
