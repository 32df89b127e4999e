/**
 * The page's engine with the code around it. A server evaluates this file anew for each bundle
 * (build.mjs makes a function of it): an engine has a memory of its own, which goes when the engine goes.
 */
import * as functions from "../../dist/engine/engine.js";

export { LocalEngine } from "../scoring/engine";
export { Flags } from "../flags";
export { functions };
