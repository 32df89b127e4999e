/**
 * The page's engines with the code around them. A server evaluates this file anew for each bundle
 * (build.mjs makes a function of it): an engine has a memory of its own, which goes when the engine goes.
 */
export { LocalEngine } from "../scoring/engine";
export { openFlags } from "../flags/engine";
