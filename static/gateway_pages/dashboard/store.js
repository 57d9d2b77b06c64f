// What the page knows of each symbol: its newest prediction and the ones before it, each once, in their order.

const MOST_POINTS = 300;

/** A prediction as the page has it, from a frame or from an answer over REST. */
export function pointOf(raw) {
  return {
    symbol: raw.symbol,
    model: raw.model_version,
    horizon: raw.horizon,
    made_ms: Date.parse(raw.timestamp),
    as_of_ms: Date.parse(raw.as_of ?? raw.timestamp),
    current: raw.current_price,
    predicted: raw.predicted_price,
    confidence: raw.confidence,
    seq: raw.seq ?? 0,
    outcome: raw.outcome ?? null,
    stamp: raw.timestamp,
  };
}

export const moveOf = (point) => point.predicted / point.current - 1;

class Known {
  newest = null;
  points = [];
  version = 0;
  #at = new Map();

  /** Takes points in any order; true where one of them is the newest now. */
  take(points) {
    let in_order = true;
    for (const point of points) {
      const id = `${point.stamp} ${point.model}`;
      const place = this.#at.get(id);
      if (place) {
        // The record knows what came of it; a frame does not.
        place.outcome = point.outcome ?? place.outcome;
        continue;
      }
      this.#at.set(id, point);
      const last = this.points.at(-1);
      in_order &&= !last || isBefore(last, point);
      this.points.push(point);
    }
    if (!in_order) this.points.sort((a, b) => (isBefore(a, b) ? -1 : 1));
    for (const old of this.points.splice(0, Math.max(0, this.points.length - MOST_POINTS))) {
      this.#at.delete(`${old.stamp} ${old.model}`);
    }
    this.version++;
    const before = this.newest;
    this.newest = this.points.at(-1) ?? null;
    return this.newest !== before;
  }

  get models() {
    return [...new Set(this.points.map((point) => point.model))];
  }
}

const isBefore = (a, b) => a.made_ms < b.made_ms || (a.made_ms === b.made_ms && a.seq < b.seq);

export class Store {
  #known = new Map();

  get symbols() {
    return [...this.#known.keys()];
  }

  get(symbol) {
    return this.#known.get(symbol);
  }

  add(symbol) {
    if (!this.#known.has(symbol)) this.#known.set(symbol, new Known());
    return this.#known.get(symbol);
  }

  /** The market time of the newest prediction of all, and whether it is one of long ago. */
  get market() {
    let newest = null;
    for (const { newest: point } of this.#known.values()) {
      if (point && (!newest || isBefore(newest, point))) newest = point;
    }
    return newest && { as_of_ms: newest.as_of_ms, is_replay: isReplay(newest) };
  }
}

const LONG_AGO_MS = 14 * 86_400_000;

/** True for predictions from market data of long ago: no market is closed for two weeks. */
export function isReplay(point) {
  return point.made_ms - point.as_of_ms > LONG_AGO_MS;
}
