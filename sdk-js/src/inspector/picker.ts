/** Lets somebody point at an element of the page. */
import { html } from "./dom";
import { selectorOf } from "./selector";

/**
 * Lays a veil over the page until an element is clicked, or Escape is pressed: what is below is marked and
 * named, and the page notices nothing. `picked` hears the selector, or why there is none.
 */
export function pick(root: ShadowRoot, picked: (selector: string | undefined) => void): void {
  const box = html("div", { class: "box" });
  const veil = html("div", { class: "veil" }, box);
  let found: Element | undefined;
  const end = () => {
    veil.remove();
    removeEventListener("keydown", escape, true);
  };
  const escape = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    event.stopImmediatePropagation();
    end();
  };
  const point = ({ clientX, clientY }: MouseEvent) => {
    found = document.elementsFromPoint(clientX, clientY).find((element) => element !== root.host);
    // Nobody means one line of a drawing.
    if (found instanceof SVGElement) found = found.closest("svg:not(svg svg)") ?? found;
    const { left = 0, top = 0, width = 0, height = 0 } = found?.getBoundingClientRect() ?? {};
    Object.assign(box.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  };
  veil.addEventListener("pointermove", point);
  veil.addEventListener("click", (event) => {
    point(event);
    end();
    picked(found && selectorOf(found));
  });
  addEventListener("keydown", escape, true);
  root.append(veil);
}
