/** Where each symbol of a stream stands, and what follows from it: what to ask for, and what is news. Pure. */

import type { Gap, Position, Positions, PredictionUpdate, Terms } from "./types.js";

/** A `subscribe` of the protocol. */
export interface SubscribeRequest {
  action: "subscribe";
  symbols: string[];
  since?: { epoch: string; seq: number; seqs: Record<string, number> };
  [term: string]: unknown;
}

/** `epoch` and `seq` by symbol. */
export class Places {
  readonly #wantsSnapshots: boolean;
  readonly #terms: Record<string, unknown>;
  readonly #places: Map<string, Position>;
  /** Symbols whose live flow has begun once: what comes of them later may follow a hole. */
  readonly #followed: Set<string>;
  #isFirst = true;

  constructor(terms: Terms, since: Positions) {
    this.#wantsSnapshots = terms.snapshot ?? true;
    this.#terms = termsOnTheWire(terms);
    this.#places = new Map(Object.entries(since));
    this.#followed = new Set(this.#places.keys());
  }

  /** Requests for `symbols`: those with a place go on from there, one request for each epoch. */
  requests(symbols: readonly string[]): SubscribeRequest[] {
    const unknown = symbols.filter((symbol) => !this.#places.has(symbol));
    const requests: SubscribeRequest[] = [];
    for (const [epoch, seqs] of this.#byEpoch(symbols)) {
      const since = { epoch, seq: Math.min(...Object.values(seqs)), seqs };
      requests.push({ action: "subscribe", symbols: Object.keys(seqs), since, ...this.#terms });
    }
    if (unknown.length > 0) {
      // Newest values are asked for even if nobody wants to see them: they are places to resume from.
      requests.push({ action: "subscribe", symbols: unknown, snapshot: true, ...this.#terms });
    }
    return requests;
  }

  /** The flow of `symbols` begins. */
  follow(symbols: readonly string[]): void {
    for (const symbol of symbols) {
      this.#followed.add(symbol);
    }
  }

  /** The connection has ended: what comes next is no longer the first that the stream sees. */
  leave(): void {
    this.#isFirst = this.#isFirst && this.#followed.size === 0;
  }

  /** What of an update is news: nothing if it was had, and a gap before it where a hole cannot be ruled out. */
  take(update: PredictionUpdate): (Gap | PredictionUpdate)[] {
    const { symbol, epoch, seq } = update;
    const before = this.#places.get(symbol);
    if (before !== undefined && before.epoch === epoch && seq <= before.seq) {
      return [];
    }
    this.#places.set(symbol, { epoch, seq });
    if (before !== undefined || update.snapshot !== true) {
      return [update];
    }
    if (this.#isFirst) {
      return this.#wantsSnapshots ? [update] : [];
    }
    return [{ type: "gap", symbol, from: 0, to: seq, epoch }, update];
  }

  #byEpoch(symbols: readonly string[]): Map<string, Record<string, number>> {
    const grouped = new Map<string, Record<string, number>>();
    for (const symbol of symbols) {
      const place = this.#places.get(symbol);
      if (place !== undefined) {
        const seqs = grouped.get(place.epoch) ?? {};
        seqs[symbol] = place.seq;
        grouped.set(place.epoch, seqs);
      }
    }
    return grouped;
  }
}

function termsOnTheWire(terms: Terms): Record<string, unknown> {
  const named = {
    mode: terms.mode,
    interval_ms: terms.intervalMs,
    min_confidence: terms.minConfidence,
    min_move_pct: terms.minMovePct,
    timing: terms.timing,
    explanations: terms.explanations,
  };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
}
