// ONNX models in a page: engines that come when the first model does.

/** Fetches an engine's bytes; where this module stands unless told otherwise. */
const fetched = (name) => fetch(new URL(name, import.meta.url));

/**
 * Opens a brought model. The small engine runs scalers, encoders, dense layers and trees; the one with tract,
 * twenty times its size, comes only for a model that the small one does not take.
 * @param {Uint8Array} bytes
 * @returns {Promise<{ probability(row: Float64Array): number }>}
 */
export async function open(bytes, get = fetched) {
  try {
    return await opened("chains", bytes, get);
  } catch {
    return await opened("tract", bytes, get);
  }
}

const engines = new Map();

async function opened(name, bytes, get) {
  if (!engines.has(name)) {
    const engine = import(`./${name}.js`).then(async (engine) => {
      await engine.default({ module_or_path: await get(`${name}_bg.wasm`) });
      return engine;
    });
    engines.set(name, engine);
    // One that did not arrive is asked for anew.
    engine.catch(() => engines.delete(name));
  }
  const { Onnx } = await engines.get(name);
  return new Onnx(bytes);
}
