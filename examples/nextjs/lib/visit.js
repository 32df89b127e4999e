// The visit of this request, for server components.
import { cache } from "react";
import { headers } from "next/headers";
import { visitOf } from "./rapport.js";

export const currentVisit = cache(async () => visitOf(await headers()));
