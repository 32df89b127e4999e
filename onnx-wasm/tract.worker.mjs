import module from "./tract_bg.wasm";
import { Onnx, initSync } from "./tract.js";
import { serve } from "./worker.mjs";

initSync({ module });

export default { fetch: serve(Onnx) };
