/** Shows what the site's snippet hides until everything is decided: docs/csp.md. */
export function unmask(): void {
  const sheet = new CSSStyleSheet();
  // The snippet hides by an animation, which ends by itself; one without frames shows everything at once.
  sheet.replaceSync("@keyframes rapport-mask{}");
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}
