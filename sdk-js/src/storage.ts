/** What goes from subdomain to subdomain where the site asks for it. */
const SHARED: ReadonlySet<string> = new Set(["id", "session", "touch", "consent"]);
/** The longest that browsers keep a cookie. */
const COOKIE_SECONDS = 400 * 86_400;

/**
 * What the browser keeps for one workspace; memory alone while it may not be written to,
 * or where it is forbidden or full.
 */
export class Storage {
  private readonly prefix: string;
  private readonly memory = new Map<string, string>();

  /** `never`: this visitor's browser is not written to at all. */
  constructor(
    key: string,
    private readonly domain: string | undefined,
    private open: boolean,
    private readonly never: boolean,
  ) {
    this.prefix = `rapport:${key}:`;
  }

  get(name: string): string | undefined {
    const kept = this.memory.get(name);
    if (kept !== undefined || !this.may(name)) return kept;
    try {
      return (this.shares(name) ? this.readCookie(name) : localStorage.getItem(this.prefix + name)) ?? undefined;
    } catch {
      return undefined;
    }
  }

  /** An entry that is JSON, an empty one where it is none. Whoever reads it checks what is in it. */
  read(name: string): Record<string, unknown> {
    try {
      return Object(JSON.parse(this.get(name) ?? "{}")) as Record<string, unknown>;
    } catch {
      return {};
    }
  }

  write(name: string, value: object): void {
    this.set(name, JSON.stringify(value));
  }

  /** Reads an entry and removes it. */
  take(name: string): Record<string, unknown> {
    const value = this.read(name);
    this.remove(name);
    return value;
  }

  set(name: string, value: string): void {
    this.memory.set(name, value);
    if (!this.may(name)) return;
    try {
      if (this.shares(name)) {
        this.writeCookie(name, value, COOKIE_SECONDS);
        // A domain that is not the page's own is refused in silence.
        if (this.readCookie(name) !== value) return;
      } else localStorage.setItem(this.prefix + name, value);
      this.memory.delete(name);
    } catch {
      // Forbidden or full: it lives as long as the page.
    }
  }

  remove(name: string): void {
    this.memory.delete(name);
    if (!this.may(name)) return;
    try {
      if (this.shares(name)) this.writeCookie(name, "", 0);
      else localStorage.removeItem(this.prefix + name);
    } catch {
      // Forbidden: there was nothing to remove.
    }
  }

  /** Names of entries that start with `start`. */
  names(start: string): string[] {
    let kept: string[] = [];
    try {
      if (!this.never) kept = Object.keys(localStorage);
    } catch {
      // Forbidden.
    }
    const own = kept.filter((name) => name.startsWith(this.prefix)).map((name) => name.slice(this.prefix.length));
    return [...new Set([...this.memory.keys(), ...own])].filter((name) => name.startsWith(start));
  }

  /** Writes from now on. What the browser held already counts more than what memory held meanwhile. */
  unlock(): void {
    if (this.open || this.never) return;
    this.open = true;
    for (const [name, value] of [...this.memory]) {
      this.memory.delete(name);
      if (this.get(name) === undefined) this.set(name, value);
    }
  }

  /** Removes everything but the visitor's choice and what is still to be told of it, and writes no more. */
  lock(): void {
    for (const name of [...this.names(""), ...SHARED]) if (!/^(consent$|out:)/.test(name)) this.remove(name);
    this.open = false;
  }

  /** To remember a choice is no tracking, nor to keep a withdrawal until the server has it. */
  private may(name: string): boolean {
    return !this.never && (this.open || /^(consent$|out:)/.test(name));
  }

  private shares(name: string): boolean {
    return this.domain !== undefined && SHARED.has(name);
  }

  private readCookie(name: string): string | undefined {
    const start = `${this.cookieName(name)}=`;
    const found = document.cookie.split("; ").find((pair) => pair.startsWith(start));
    return found && decodeURIComponent(found.slice(start.length));
  }

  private writeCookie(name: string, value: string, seconds: number): void {
    const secure = location.protocol === "https:" ? ";secure" : "";
    document.cookie = `${this.cookieName(name)}=${encodeURIComponent(value)};domain=${this.domain};path=/;max-age=${seconds};samesite=lax${secure}`;
  }

  private cookieName(name: string): string {
    return this.prefix.replace(/:/g, "_") + name;
  }
}
