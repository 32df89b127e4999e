/** One line of the panel's history. */
export interface Entry {
  readonly what: string;
  readonly change: number;
  readonly score: number;
  readonly at: number;
}

interface Kept {
  entries: Entry[];
  folded: boolean;
  side: "left" | "right";
}

const NAME = "rapport:inspector";
const KEPT = 5;

/** What the panel remembers from page to page of one tab. */
export class Memory {
  private kept: Kept = read() ?? {
    entries: [],
    folded: innerWidth < 640,
    side: "right",
  };

  get entries(): readonly Entry[] {
    return this.kept.entries;
  }

  get folded(): boolean {
    return this.kept.folded;
  }

  set folded(folded: boolean) {
    this.kept.folded = folded;
    this.save();
  }

  get side(): "left" | "right" {
    return this.kept.side;
  }

  set side(side: "left" | "right") {
    this.kept.side = side;
    this.save();
  }

  add(entry: Entry): void {
    this.kept.entries = [entry, ...this.kept.entries].slice(0, KEPT);
    this.save();
  }

  private save(): void {
    try {
      sessionStorage.setItem(NAME, JSON.stringify(this.kept));
    } catch {
      // Storage is forbidden: the panel forgets at the next page.
    }
  }
}

function read(): Kept | undefined {
  try {
    const value = JSON.parse(sessionStorage.getItem(NAME) ?? "null") as Kept | null;
    return Array.isArray(value?.entries) ? value : undefined;
  } catch {
    return undefined;
  }
}
