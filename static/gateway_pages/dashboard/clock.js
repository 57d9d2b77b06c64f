// What the gateway's clock shows, and how far behind it this page is.
//
// Each update says when it was sent, by the gateway's clock. It cannot arrive before it was sent: the greatest
// difference to our own clock is nearest to the truth, short by the way there, which is half of the fastest round
// trip of a ping.

const SAMPLES = 200;
const WINDOW_MS = 60_000;

export class Clock {
  #leads = [];
  #round_trip_ms = Number.POSITIVE_INFINITY;
  #lags = [];

  /** Forget what another process of the gateway said. */
  reset() {
    this.#leads = [];
    this.#round_trip_ms = Number.POSITIVE_INFINITY;
  }

  /** An update that was sent at `sent_ms` has arrived. */
  heard(sent_ms, now_ms = Date.now()) {
    this.#leads.push(sent_ms - now_ms);
    if (this.#leads.length > SAMPLES) this.#leads.shift();
  }

  roundTrip(ms) {
    this.#round_trip_ms = Math.min(this.#round_trip_ms, ms);
  }

  get knows() {
    return this.#leads.length > 0;
  }

  /** The gateway's time; ours while nothing is known. */
  now(now_ms = Date.now()) {
    if (!this.knows) return now_ms;
    const way_ms = Number.isFinite(this.#round_trip_ms) ? this.#round_trip_ms / 2 : 0;
    return now_ms + Math.max(...this.#leads) + way_ms;
  }

  /** An update that was published at `published_ms` has just arrived; its lag. */
  arrived(published_ms) {
    const lag_ms = Math.max(0, this.now() - published_ms);
    this.#lags.push({ at: Date.now(), lag_ms });
    return lag_ms;
  }

  /** The median and the worst lag of the last minute; null without one. */
  get lags() {
    const from = Date.now() - WINDOW_MS;
    this.#lags = this.#lags.filter((one) => one.at >= from).slice(-2_000);
    if (this.#lags.length === 0) return null;
    const sorted = this.#lags.map((one) => one.lag_ms).sort((a, b) => a - b);
    return { median_ms: sorted[sorted.length >> 1], worst_ms: sorted.at(-1), count: sorted.length };
  }
}
