import type { Band } from "../types";

/** By core's numbers. */
export const BANDS: readonly Band[] = ["not", "undecided", "qualified"];
