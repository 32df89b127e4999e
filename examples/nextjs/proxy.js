// Next's middleware: gives each visitor an id before anything is rendered, and decides where they go.
import { NextResponse } from "next/server";
import { browserOf } from "rapport/server";
import { KEY, visitOf } from "./lib/rapport.js";

export async function proxy(request) {
  const browser = browserOf(request.headers.get("cookie"), KEY);
  const headers = new Headers(request.headers);
  headers.set("x-rapport-id", browser.anonymousId);
  const visit = await visitOf(headers);
  // One address, two pages: which one, is a feature.
  const plans = visit.peek("plans").value;
  const { pathname } = request.nextUrl;
  const response = pathname === "/pricing" && plans === "yearly" ? NextResponse.rewrite(new URL("/pricing/yearly", request.url), { request: { headers } }) : NextResponse.next({ request: { headers } });
  response.headers.set("x-rapport-hero", visit.peek("hero").value);
  if (browser.isNew) response.headers.append("set-cookie", browser.setCookie(process.env.RAPPORT_DOMAIN, { secure: request.nextUrl.protocol === "https:" }));
  return response;
}

export const config = { matcher: ["/", "/pricing", "/pricing/yearly"] };
