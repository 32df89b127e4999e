/** Whether the page wants an element tracked: the nearest `data-rapport-ignore` or `data-rapport-allow` says. */
export function allowed(element: Element, otherwise = true): boolean {
  const said = element.closest("[data-rapport-ignore],[data-rapport-allow]");
  return said ? said.hasAttribute("data-rapport-allow") : otherwise;
}
