// The token by which a customer's server proves who is signed in.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { identityToken } from "../dist/server.js";

const now = Date.UTC(2026, 10, 23, 12);

test("a token holds who, until when and for which workspace, under the secret's signature", () => {
  const token = identityToken("secret", "u1", { expiresIn: 60, workspace: "w1", now });
  const [version, payload, signature, ...rest] = token.split(".");
  assert.deepEqual([version, rest], ["v1", []]);
  assert.deepEqual(JSON.parse(Buffer.from(payload, "base64url")), { sub: "u1", exp: now / 1000 + 60, wid: "w1" });
  assert.equal(signature, createHmac("sha256", "secret").update(`v1.${payload}`).digest("base64url"));
});

test("the same input gives the same token, on every host", () => {
  assert.equal(
    identityToken("secret", "Ünïcode", { expiresIn: 3600, now }),
    "v1.eyJzdWIiOiLDnG7Dr2NvZGUiLCJleHAiOjE3OTU0Mzg4MDB9.f_sg0A2apf_j6heUej4pppC9_Mr99f9IxdUr2Lp6z9s",
  );
});

test("a token lasts an hour where nothing else is said", () => {
  const { exp } = JSON.parse(Buffer.from(identityToken("secret", "u1", { now }).split(".")[1], "base64url"));
  assert.equal(exp, now / 1000 + 3600);
});

test("nobody and no secret are refused in words", () => {
  assert.throws(() => identityToken("", "u1"), /secret is empty/);
  assert.throws(() => identityToken("secret", ""), /user id is empty/);
});
