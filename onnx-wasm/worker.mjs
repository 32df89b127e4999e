// ONNX models at the edge: a Worker of its own, which the edge's reaches by a service binding, so that the
// engine's bytes are not among those that start for every visitor.
// `chains.worker.mjs` and `tract.worker.mjs` are such Workers, with the small engine and the large one.
//
// PUT /HASH brings a model, POST /HASH has a row of it scored: numbers as little-endian f64. 404 says that
// the model is not here: bring it, then ask again.
/** Models that a workspace has in force, and some that were. */
const MOST = 8;

export function serve(Onnx) {
  const models = new Map();
  return async function fetch(request) {
    const hash = new URL(request.url).pathname.slice(1);
    const body = await request.arrayBuffer();
    try {
      if (request.method === "PUT") {
        const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
        const found = Array.from(sum, (byte) => byte.toString(16).padStart(2, "0")).join("");
        if (found !== hash) return problem(400, `the model's hash is ${found}`);
        models.set(hash, new Onnx(new Uint8Array(body)));
        if (models.size > MOST) {
          const [oldest] = models.keys();
          models.get(oldest).free();
          models.delete(oldest);
        }
        return new Response(null, { status: 204 });
      }
      const model = models.get(hash);
      if (!model) return problem(404, "no such model: bring it");
      return Response.json({ probability: model.probability(new Float64Array(body)) });
    } catch (error) {
      return problem(422, error.message);
    }
  };
}

const problem = (status, detail) => Response.json({ detail }, { status });
