import module from "./chains_bg.wasm";
import { Onnx, initSync } from "./chains.js";
import { serve } from "./worker.mjs";

initSync({ module });

export default { fetch: serve(Onnx) };
