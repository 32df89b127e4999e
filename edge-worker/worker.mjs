// What the platform loads: the engine, and what it answers with.
import module from "./edge_bg.wasm";
import { EventQueue, fetch, initSync } from "./edge.js";

initSync({ module });

export { EventQueue };
export default { fetch };
