// Requests and answers as the engine takes and gives them, each whole: what crosses piece by piece costs more than deciding.

/** All that the engine reads of a request, a line each: no line of a request's holds another. */
export function described(request) {
  const { country, regionCode, city, verifiedBotCategory } = request.cf ?? {};
  let lines = `${request.method}\n${request.url}\n${country ?? ""}\n${regionCode ?? ""}\n${city ?? ""}\n${verifiedBotCategory ?? ""}`;
  for (const [name, value] of request.headers) lines += `\n${name}\n${value}`;
  return lines;
}

/** The engine's answer; `lines` are its headers' names and values. */
export function answered(status, lines, body) {
  const headers = [];
  const all = lines ? lines.split("\n") : [];
  for (let at = 0; at < all.length; at += 2) headers.push([all[at], all[at + 1]]);
  // The bytes are the engine's own memory, which goes on to change.
  return new Response(body.length > 0 ? body.slice() : null, { status, headers });
}
