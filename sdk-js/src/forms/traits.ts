import { clip } from "../capture/page";

type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

/** Standard fields that say who somebody is. */
const STANDARD: ReadonlyMap<string, string> = new Map([
  ["email", "email"],
  ["name", "name"],
  ["organization", "company"],
]);
/** Nobody's mapping makes these a trait. */
const NEVER_TYPE = /^(password|hidden|file|submit|button|image|reset)$/;
const NEVER_NAME = /pass(word|wd|code)?($|[^a-z])|card|cvc|cvv|iban|account|ssn|tax|secret|token|otp/i;
const NEVER_COMPLETE = /(^|\s)cc-|password|one-time-code/;

/** What a form says about its visitor: fields that are mapped by name or attribute, or standard ones. */
export function traitsOf(form: HTMLFormElement, mapped: { readonly [field: string]: string }): { [trait: string]: string } | undefined {
  const traits: [string, string][] = [];
  for (const field of form.elements) {
    if (!isField(field)) continue;
    const trait = field.dataset["rapportTrait"] ?? mapped[field.name] ?? standard(field);
    const value = trait && !forbidden(field) ? clip(valueOf(field).trim(), 250) : "";
    if (trait && value) traits.push([trait, value]);
  }
  return Object.fromEntries(traits);
}

function isField(element: Element): element is Field {
  return element instanceof HTMLInputElement || element instanceof HTMLSelectElement || element instanceof HTMLTextAreaElement;
}

/** The last word of `autocomplete` says what a field is: `section-a work email`. */
function standard({ autocomplete }: Field): string | undefined {
  return STANDARD.get(autocomplete.trim().split(/\s+/).at(-1) ?? "");
}

function forbidden(field: Field): boolean {
  return (
    NEVER_TYPE.test(field.type) ||
    NEVER_NAME.test(`${field.name} ${field.id} `) ||
    NEVER_COMPLETE.test(field.autocomplete) ||
    field.closest("[data-rapport-ignore],[data-rapport-mask]") !== null
  );
}

function valueOf(field: Field): string {
  const choice = field instanceof HTMLInputElement && /^(checkbox|radio)$/.test(field.type);
  return choice && !field.checked ? "" : field.value;
}
