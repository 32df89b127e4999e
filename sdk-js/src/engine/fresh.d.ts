declare module "fresh:engine" {
  /** Evaluates `./index.ts` anew. */
  export default function fresh(): typeof import("./index");
}
