/** Bytes as text that storage keeps. */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** The bytes, or none where the text is not base64. */
export function fromBase64(text: string): Uint8Array | undefined {
  try {
    // Newer browsers do it at once.
    const { fromBase64: native } = Uint8Array as { fromBase64?: (text: string) => Uint8Array };
    return native?.call(Uint8Array, text) ?? Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
