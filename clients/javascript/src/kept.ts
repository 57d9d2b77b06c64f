/** The last answers with an ETag, for conditional reads. Pure: time comes in as an argument. */

/** Longer answers are read anew each time: a bound on what is kept. */
const LONGEST_TEXT = 262_144;

export interface Kept {
  etag: string;
  /** The body: each caller gets an object of its own. */
  text: string;
  /** When it came, in milliseconds of a clock that never goes back. */
  atMs: number;
}

/** A bounded number of answers by path and query; the one that was used longest ago goes first. */
export class KeptAnswers {
  readonly #size: number;
  readonly #kept = new Map<string, Kept>();

  constructor(size: number) {
    this.#size = size;
  }

  get(key: string): Kept | undefined {
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      this.#kept.delete(key);
      this.#kept.set(key, kept);
    }
    return kept;
  }

  put(key: string, kept: Kept): void {
    this.#kept.delete(key);
    if (this.#size === 0 || kept.text.length > LONGEST_TEXT) {
      return;
    }
    this.#kept.set(key, kept);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#size) {
        break;
      }
      this.#kept.delete(oldest);
    }
  }
}

interface Aging {
  age_seconds?: number;
  data?: unknown;
  predictions?: unknown;
}

/** Move `age_seconds` of the predictions in an answer on by `seconds`, in place. */
export function moveAges(value: unknown, seconds: number): void {
  moveAge(value, seconds);
  const { data, predictions } = (value ?? {}) as Aging;
  for (const one of [...Object.values(data ?? {}), ...Object.values(predictions ?? {})]) {
    moveAge(one, seconds);
  }
}

function moveAge(value: unknown, seconds: number): void {
  const aging = (value ?? {}) as Aging;
  if (typeof aging.age_seconds === "number") {
    aging.age_seconds += seconds;
  }
}
