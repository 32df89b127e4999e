/** The browser's id, in the cookie that the page's tracker shares with its server: its `cookieDomain`. */
import { randomUUID } from "node:crypto";

/** The longest that browsers keep a cookie. */
const SECONDS = 400 * 86_400;

export interface Browser {
  /** Under which server and page know the visitor. */
  readonly anonymousId: string;
  /** It came without an id: answer with the cookie, so that the page takes it up. */
  readonly isNew: boolean;
  /** The value of `Set-Cookie`, for the domain that the tracker has as `cookieDomain`. */
  setCookie(domain: string, options?: { readonly secure?: boolean }): string;
}

/** Whose request it is, by its `Cookie` header; somebody new where that does not say. `key` is the workspace's write key. */
export function browserOf(cookies: string | null | undefined, key: string): Browser {
  const name = `rapport_${key}_id`;
  const found = idOf(cookies?.split("; ").find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1));
  const anonymousId = found ?? randomUUID();
  const value = encodeURIComponent(JSON.stringify({ anonymousId, sequence: 0 }));
  return {
    anonymousId,
    isNew: found === undefined,
    setCookie: (domain, { secure = true } = {}) => `${name}=${value}; Domain=${domain}; Path=/; Max-Age=${SECONDS}; SameSite=Lax${secure ? "; Secure" : ""}`,
  };
}

/** What a cookie says is a claim: it may be anything. */
function idOf(cookie = ""): string | undefined {
  try {
    const { anonymousId } = Object(JSON.parse(decodeURIComponent(cookie))) as { anonymousId?: unknown };
    return typeof anonymousId === "string" && /^[\w-]{8,64}$/.test(anonymousId) ? anonymousId : undefined;
  } catch {
    return undefined;
  }
}
