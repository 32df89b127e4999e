/** What the browser keeps for one workspace; memory alone where storage is forbidden or full. */
export class Storage {
  private readonly prefix: string;
  private readonly memory = new Map<string, string>();

  constructor(key: string) {
    this.prefix = `rapport:${key}:`;
  }

  get(name: string): string | undefined {
    try {
      return localStorage.getItem(this.prefix + name) ?? this.memory.get(name);
    } catch {
      return this.memory.get(name);
    }
  }

  set(name: string, value: string): void {
    try {
      localStorage.setItem(this.prefix + name, value);
      this.memory.delete(name);
    } catch {
      this.memory.set(name, value);
    }
  }

  remove(name: string): void {
    this.memory.delete(name);
    try {
      localStorage.removeItem(this.prefix + name);
    } catch {
      // Forbidden: there was nothing to remove.
    }
  }

  /** Calls back when another tab has written an entry. */
  onOtherTab(listener: (name: string, value: string) => void): void {
    addEventListener("storage", ({ key, newValue }) => {
      if (key?.startsWith(this.prefix) && newValue !== null) {
        listener(key.slice(this.prefix.length), newValue);
      }
    });
  }
}

/** Bytes as text that storage keeps. */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** The bytes, or none where the text is not base64. */
export function fromBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
