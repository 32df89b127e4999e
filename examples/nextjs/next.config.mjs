import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** @type {import("next").NextConfig} */
export default {
  turbopack: { root: dirname(fileURLToPath(import.meta.url)) },
  // The browser's id stands in a cookie for this domain: server and page know the visitor by it.
  env: { RAPPORT_DOMAIN: process.env.RAPPORT_DOMAIN ?? "localhost" },
};
