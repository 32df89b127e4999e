// A host's code, checked by `tsc --strict` against the package's types.
import { createRapport, type Choice, type Decision, type Options, type Plugin, type RapportEvent } from "rapport";
import { hydrate, type Hydrated } from "rapport/hydration";
import { identityToken, openRapport, type Decided, type Visitor } from "rapport/server";
import { testRapport, type Tracked } from "rapport/testing";

const plugin: Plugin = {
  name: "plan",
  before: (event) => event.event !== "Secret",
  enrich: (event: RapportEvent): RapportEvent => ({ ...event, properties: { ...event.properties, plan: "team" } }),
  destination: ({ messageId }) => messageId satisfies string,
};
const options: Options = {
  key: "KEY",
  endpoint: "https://rapport.example.com",
  autocapture: { clicks: "marked", vitals: true, traits: { size: "employees" } },
  consent: { mode: "strict", platforms: ["google", "tcf"], initial: { analytics: true } },
  cookieless: "on-reject",
  cookieDomain: "example.com",
  linkDomains: ["example.org"],
  bots: "drop",
  paths: { "/v1/events": "/c" },
  plugins: [plugin],
  beforeSend: (event) => (event.type === "alias" ? null : event),
};
const rapport = createRapport(options);
const stop: () => void = rapport.onDecision(({ score, band, reasons }: Decision) => {
  const words: "qualified" | "undecided" | "not" = band;
  reasons.map(({ text, points }) => `${text} ${points + score} ${words}`);
});
stop();
const choice: Choice = { analytics: true, profiling: false };
rapport.consent(choice);
rapport.consentTo("personalization") satisfies "pending" | "granted" | "denied";
rapport.track("Trial Started", { plan: "team", nested: { list: [1, "two", null] } });
rapport.identify("u1", { email: "ada@example.com" }, { token: identityToken("secret", "u1", { expiresIn: 60, workspace: "w1" }) });
rapport.identify(null, { company: "Example" });
rapport.group("g1");
rapport.alias("u2");
rapport.page();
rapport.reset();
rapport.use(plugin);
rapport.push(["track", "Queued"]);
(window.rapport ||= []).push(["track", "Queued"]);
addEventListener("rapport:decision", ({ detail }) => detail.score.toFixed());
addEventListener("rapport:consent", ({ detail }) => detail.analytics satisfies boolean | undefined);
void rapport.flush().then(() => rapport.decision?.score.toFixed());

const visitor: Visitor = { anonymousId: "a1", attributes: { plan: "team" }, consent: choice };
void openRapport({ key: "KEY", endpoint: "https://rapport.example.com", publicKey: undefined, refresh: { every: 60_000 } }).then(async (server) => {
  const { score, features }: Decided = server.decide(visitor);
  const title: string = server.value("title", "none", visitor);
  const page: Hydrated = hydrate(server.dehydrate(visitor), { track: (event, properties) => rapport.track(event, properties) });
  server.track(title, visitor, { score: score ?? null, on: features["hero"]?.on ?? false, value: page.peek("hero").value });
  await server.close();
});
void testRapport({ features: { hero: "a" } }).then(({ tracked }) => tracked satisfies readonly Tracked[]);

// @ts-expect-error a purpose that does not exist
rapport.consent({ marketing: true });
// @ts-expect-error a function is no JSON
rapport.track("Wrong", { callback: () => undefined });
// @ts-expect-error an event needs a name
rapport.track();
// @ts-expect-error no key
createRapport({ endpoint: "https://rapport.example.com" });
// @ts-expect-error a plugin needs a name
rapport.use({ before: () => true });
// @ts-expect-error what is private stays so
rapport.sessions;
