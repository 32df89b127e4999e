/** For the customer's own server: proves to Rapport who is signed in. */
import { createHmac } from "node:crypto";

export interface TokenOptions {
  /** Seconds until the token is worth nothing. Default: 3600. */
  readonly expiresIn?: number;
  /** Binds the token to one workspace. */
  readonly workspace?: string;
  /** Milliseconds since 1970. Default: the clock. */
  readonly now?: number;
}

/**
 * A token that proves a `userId`: hand it to the page, which gives it to `identify(userId, traits, { token })`.
 * The secret never leaves the server.
 */
export function identityToken(
  secret: string | Uint8Array,
  userId: string,
  { expiresIn = 3_600, workspace, now = Date.now() }: TokenOptions = {},
): string {
  if (secret.length === 0) throw new TypeError("the identity secret is empty: copy it from the workspace's settings");
  if (userId === "") throw new TypeError("the user id is empty: nobody can be proved by it");
  const exp = Math.floor(now / 1_000) + expiresIn;
  const claims = { sub: userId, exp, ...(workspace === undefined ? {} : { wid: workspace }) };
  const payload = Buffer.from(JSON.stringify(claims)).toString("base64url");
  const signature = createHmac("sha256", secret).update(`v1.${payload}`).digest("base64url");
  return `v1.${payload}.${signature}`;
}
