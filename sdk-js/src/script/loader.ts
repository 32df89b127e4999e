/** Carries nothing: for sites that serve the script themselves, and for tests of each part by itself. */
import { run } from "./run";

run({});
