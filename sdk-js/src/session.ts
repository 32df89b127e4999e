import type { Storage } from "./storage";

export const IDLE_MS = 30 * 60_000;
export const LENGTH_MS = 24 * 3_600_000;

/** A visit, by the rules of the engine's own (docs/profile-format.md). */
export interface Session {
  /** When it began, in milliseconds since 1970: its id within a visitor. */
  readonly id: number;
  readonly last: number;
  /** The last campaign that was named in it. */
  readonly campaign?: string;
}

/** The visit that something at `now` belongs to; a new one starts with `id` = `now`. */
export function sessionAt(session: Session | undefined, now: number, campaign: string | undefined): Session {
  const named = campaign ?? session?.campaign;
  const begun = { ...(named === undefined ? {} : { campaign: named }), last: now };
  if (session) {
    // A clock that went back makes an interval of 0.
    const at = Math.max(now, session.last);
    const over = at - session.last >= IDLE_MS || at - session.id >= LENGTH_MS;
    if (!over && named === session.campaign) return { ...session, last: at };
    return { ...begun, id: Math.max(now, session.id + 1) };
  }
  return { ...begun, id: now };
}

/** The visits of one browser, in all its tabs. */
export class Sessions {
  constructor(private readonly storage: Storage) {}

  /** The visit at `now`, and whether it has just begun. */
  at(now: number, campaign: string | undefined): { id: number; started: boolean } {
    const before = known(this.storage.read("session"));
    const session = sessionAt(before, now, campaign);
    this.storage.write("session", session);
    return { id: session.id, started: session.id !== before?.id };
  }
}

function known({ id, last, campaign }: Record<string, unknown>): Session | undefined {
  if (!Number.isSafeInteger(id) || !Number.isSafeInteger(last)) return undefined;
  const times = { id: id as number, last: last as number };
  return typeof campaign === "string" ? { ...times, campaign } : times;
}
