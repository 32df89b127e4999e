// Shows the API's document, route by route.

const make = (name, text = "", ...children) => {
  const element = document.createElement(name);
  // What stands between backticks is code.
  text.split("`").forEach((part, at) => element.append(at % 2 ? make("code", part) : part));
  element.append(...children);
  return element;
};

const schemaName = (content) => {
  const [type, { schema } = {}] = Object.entries(content ?? {})[0] ?? [];
  return schema?.$ref?.split("/").pop() ?? type ?? "";
};

const table = (head, lines) => make("table", "", make("tr", "", ...head.map((cell) => make("th", cell))), ...lines.map((cells) => make("tr", "", ...cells.map((cell) => make("td", cell)))));

function route(path, method, operation) {
  const summary = make("summary", "", make("b", method), make("code", path), make("span", operation.summary ?? ""));
  const body = make("div", "");
  body.className = "body";
  if (operation.description) body.append(make("p", operation.description));
  if (operation.parameters?.length) body.append(table(["Parameter", "Where", "What"], operation.parameters.map((one) => [one.name, one.in, one.description ?? ""])));
  if (operation.requestBody) body.append(make("p", `Takes ${schemaName(operation.requestBody.content)}`));
  body.append(table(["Answer", "Body", "When"], Object.entries(operation.responses).map(([status, answer]) => [status, schemaName(answer.content), answer.description ?? ""])));
  return make("details", "", summary, body);
}

const document_ = await (await fetch("/openapi.json")).json();
const byTag = new Map();
for (const [path, methods] of Object.entries(document_.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    const tag = operation.tags?.[0] ?? "other";
    byTag.set(tag, [...(byTag.get(tag) ?? []), route(path, method, operation)]);
  }
}
const ORDER = ["collect", "profiles", "bundles", "experiments", "experiences", "flags", "live", "identity", "privacy", "audit", "operations"];
const rank = ([tag]) => (ORDER.includes(tag) ? ORDER.indexOf(tag) : ORDER.length);
for (const [tag, routes] of [...byTag].sort((a, b) => rank(a) - rank(b))) document.querySelector("#routes").append(make("h2", tag), ...routes);
