/** Where a redirect leads from here; with `keepQuery`, what this address's query has beyond the new one's goes along. */
export function targetOf(to: string, keepQuery: boolean): URL | undefined {
  if (!URL.canParse(to, location.href)) return undefined;
  const target = new URL(to, location.href);
  if (!/^https?:$/.test(target.protocol)) return undefined;
  const own = new Set(target.searchParams.keys());
  for (const [name, value] of keepQuery ? new URLSearchParams(location.search) : []) {
    if (!own.has(name)) target.searchParams.append(name, value);
  }
  return target;
}

/** Whether the page that is open is where the redirect leads. */
export function isHere(target: URL): boolean {
  const said = ({ origin, pathname, search }: URL | Location) => [origin, pathname, ...[...new URLSearchParams(search)].map(String).sort()].join("\n");
  return said(target) === said(location);
}
