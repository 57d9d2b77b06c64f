// The open symbol: its figures, chart, numbers, track record.

import { PriceChart } from "./chart.js";
import { byId, make, setText } from "./dom.js";
import * as format from "./format.js";
import { TRACK_WINDOW, currentRun, measure, outcomesOf, readTrack } from "./outcomes.js";
import { moveOf } from "./store.js";
import { showMove } from "./table.js";

const ROWS = 25;

export class Detail {
  symbol = null;
  #api;
  #store;
  #clock;
  #chart = new PriceChart();
  #range = 100;
  #model = null;
  #drawn = -1;
  #lacks = false;

  constructor(api, store, clock) {
    this.#api = api;
    this.#store = store;
    this.#clock = clock;
    for (const button of document.querySelectorAll("[data-range]")) {
      button.addEventListener("click", () => this.#choose(button));
    }
    byId("models").addEventListener("change", ({ target }) => {
      this.#model = target.value;
      this.show({ anew: true });
    });
  }

  open(symbol) {
    this.symbol = symbol;
    this.#model = null;
    byId("symbol").hidden = false;
    setText(byId("symbol-title"), symbol);
    this.show({ anew: true });
    this.#showTrack(symbol);
  }

  close() {
    this.symbol = null;
    byId("symbol").hidden = true;
  }

  show({ anew = false } = {}) {
    const known = this.#store.get(this.symbol);
    if (!known?.newest || (!anew && known.version === this.#drawn)) return;
    this.#drawn = known.version;
    this.#offerModels(known);
    const model = this.#model ?? known.newest.model;
    const points = currentRun(known.points.filter((point) => point.model === model));
    const outcomes = outcomesOf(points);
    const from = Math.max(0, points.length - this.#range);
    this.#figures(points.at(-1));
    this.#chart.draw(...within(points, outcomes, from));
    this.#say(points.slice(from), outcomes.slice(from));
    this.#numbers(points, outcomes);
    this.age();
  }

  age() {
    const point = this.#newest();
    if (point) setText(byId("f-age"), `${format.age(this.#clock.now() - point.made_ms)} ago`);
  }

  #newest() {
    const known = this.#store.get(this.symbol);
    return known?.points.findLast((point) => point.model === (this.#model ?? known.newest.model));
  }

  #choose(button) {
    this.#range = Number(button.dataset.range);
    for (const one of document.querySelectorAll("[data-range]")) {
      one.setAttribute("aria-pressed", String(one === button));
    }
    this.show({ anew: true });
  }

  #offerModels(known) {
    const models = known.models;
    const select = byId("models");
    select.hidden = models.length < 2;
    const chosen = this.#model ?? known.newest.model;
    if ([...select.options].map((one) => one.value).join() !== models.join()) {
      select.replaceChildren(...models.map((model) => make("option", { value: model, textContent: model })));
    }
    select.value = chosen;
    setText(byId("model"), models.length < 2 ? chosen : "");
  }

  #figures(point) {
    setText(byId("f-current"), format.price(point.current));
    setText(byId("f-predicted"), format.price(point.predicted));
    setText(byId("f-horizon"), `in ${point.horizon}`);
    showMove(byId("f-move"), moveOf(point));
    setText(byId("f-confidence"), format.percent(point.confidence));
  }

  /** What the chart shows, for those who do not see it. */
  #say(points, outcomes) {
    const newest = points.at(-1);
    const found = measure(points, outcomes);
    const now =
      `${this.symbol} at ${format.price(newest.current)}, market time ${format.marketTime(newest.as_of_ms)}; ` +
      `predicted ${format.price(newest.predicted)} in ${newest.horizon}.`;
    byId("chart").setAttribute("aria-label", `Chart. ${now}`);
    setText(byId("said"), found ? record(found) : "No prediction here has met its outcome yet.");
  }

  #numbers(points, outcomes) {
    const rows = points.slice(-ROWS).map((point, place) => {
      const outcome = outcomes[points.length - Math.min(ROWS, points.length) + place];
      const error = outcome && point.predicted / outcome.price - 1;
      return make(
        "tr",
        {},
        make("th", { scope: "row", textContent: format.marketTime(point.as_of_ms) }),
        make("td", { className: "n", textContent: format.price(point.current) }),
        make("td", { className: "n", textContent: format.price(point.predicted) }),
        make("td", { className: "n", textContent: outcome ? format.price(outcome.price) : "not yet" }),
        make("td", { className: "n", textContent: outcome ? format.signedPercent(error) : format.NONE }),
      );
    });
    byId("numbers").replaceChildren(...rows.reverse());
  }

  /** What could not be read while the gateway was away. */
  catchUp() {
    if (this.symbol && this.#lacks) this.#showTrack(this.symbol);
  }

  async #showTrack(symbol) {
    this.#lacks = false;
    this.#track([], "", "");
    let track = null;
    let why = "Nothing that was predicted here has met its outcome yet.";
    try {
      track = await readTrack(this.#api, symbol);
    } catch {
      // The panel is an extra: without it the page is still whole.
      why = "The track record cannot be read right now.";
      this.#lacks = true;
    }
    if (this.symbol !== symbol) return;
    if (!track?.total.count) {
      this.#track([], why, "");
      return;
    }
    const { total, models } = track;
    const rows = [...models, ...(models.length > 1 ? [{ ...total, model_version: "all" }] : [])];
    this.#track(rows, record(total), `last ${TRACK_WINDOW} of market time`);
  }

  /** The panel; without rows it has an empty one, so that nothing moves when they come. */
  #track(rows, said, hint) {
    setText(byId("track-window"), hint);
    setText(byId("track-said"), said);
    byId("track-rows").replaceChildren(...(rows.length ? rows : [EMPTY]).map(trackRow));
  }
}

const EMPTY = { model_version: format.NONE, count: Number.NaN };

/** Points from `from` on, with the places of outcomes counted from there. */
function within(points, outcomes, from) {
  const moved = outcomes.slice(from).map((outcome) =>
    outcome?.index === undefined ? outcome : { ...outcome, index: outcome.index - from },
  );
  return [points.slice(from), moved];
}

function record({ count, mape, naive_mape, mape_vs_naive, hit_rate, verdict }) {
  const compared = verdict ? `: ${verdict}` : ` (ratio ${ratio(mape_vs_naive)}; below 1 is better)`;
  return (
    `Of ${format.whole(count)} predictions whose time has come, ${format.percent(hit_rate)} had the right direction. ` +
    `They missed by ${format.percent(mape, 2)} on average, saying “no change” by ` +
    `${format.percent(naive_mape, 2)}${compared}.`
  );
}

const ratio = (value) => (Number.isFinite(value) ? value.toFixed(3) : format.NONE);

function trackRow(one) {
  const cell = (text) => make("td", { className: "n", textContent: text });
  return make(
    "tr",
    {},
    make("th", { scope: "row", textContent: one.model_version }),
    cell(format.whole(one.count)),
    cell(format.percent(one.mape ?? Number.NaN, 2)),
    cell(format.percent(one.naive_mape ?? Number.NaN, 2)),
    cell(ratio(one.mape_vs_naive)),
    cell(format.percent(one.hit_rate ?? Number.NaN)),
    cell(format.percent(one.interval_coverage ?? Number.NaN)),
  );
}
