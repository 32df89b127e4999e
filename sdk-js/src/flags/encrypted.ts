/**
 * The text of a payload that GrowthBook encrypted (AES-CBC, `IV.TEXT` in base 64);
 * `undefined` where the key is another one, or the text is damaged.
 */
export async function decrypt(text: string, key: string): Promise<string | undefined> {
  const [iv = "", body, ...rest] = text.split(".");
  if (body === undefined || rest.length > 0) return undefined;
  try {
    const { subtle } = globalThis.crypto;
    const opened = await subtle.importKey("raw", bytes(key), "AES-CBC", false, ["decrypt"]);
    const plain = await subtle.decrypt({ name: "AES-CBC", iv: bytes(iv) }, opened, bytes(body));
    // A wrong key may by chance leave bytes, but hardly ever text.
    return new TextDecoder("utf-8", { fatal: true }).decode(plain);
  } catch {
    return undefined;
  }
}

function bytes(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
