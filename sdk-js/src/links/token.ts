/** The address parameter that carries a visitor from site to site: `id.time.check`. */
export const LINK = "_rapport";

const VALID_MS = 120_000;

/**
 * The check covers this kind of browser, so that a link somebody shares seldom makes two people one; that it is
 * followed from one of the owner's pages sees to the rest. It is no proof: ids are claims wherever they come from.
 */
export function seal(id: string, key: string, now: number): string {
  const time = Math.floor(now / 1_000).toString(36);
  return `${id}.${time}.${check(id, time, key)}`;
}

/** The id, where it was sealed in this browser within the last two minutes. */
export function open(token: string, key: string, now: number): string | undefined {
  const [id = "", time = "", given] = token.split(".");
  const age = now - Number.parseInt(time, 36) * 1_000;
  return given === check(id, time, key) && age > -VALID_MS && age < VALID_MS ? id : undefined;
}

/** FNV-1a, twice 32 bits. */
function check(...parts: readonly string[]): string {
  const { userAgent, language } = navigator;
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const bytes = new TextEncoder().encode([...parts, userAgent, language, timeZone].join("\n"));
  const hash = (start: number) =>
    bytes.reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193), start) >>> 0;
  return hash(0x811c9dc5).toString(36) + hash(0x9dc5811c).toString(36);
}
