// Ordering an explanation, watching it progress, and showing it: bars for those who look, words for all.

import { byId, make, setText } from "./dom.js";
import * as format from "./format.js";

const POLL_MS = 2_000;
const ENDED = new Set(["done", "failed", "cancelled"]);

export class Explanations {
  #api;
  #feed;
  #symbol = null;
  // By symbol: {job_id, depth, progress, stage, document, problem}.
  #orders = new Map();
  #shown = null;

  constructor(api, feed) {
    this.#api = api;
    this.#feed = feed;
    byId("order").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#orders.get(this.#symbol)?.is_running) return;
      this.#order(new FormData(event.target).get("depth"));
    });
    byId("cancel").addEventListener("click", () => this.#cancel());
    feed.addEventListener("explanation", ({ detail }) => this.#hear(detail));
  }

  /** Shows what belongs to this symbol. */
  open(symbol) {
    this.#symbol = symbol;
    this.#show();
  }

  async #order(depth) {
    const symbol = this.#symbol;
    const order = { depth, symbol, progress: 0, stage: "Ordering …", is_running: true };
    this.#orders.set(symbol, order);
    this.#show();
    try {
      const { body } = await this.#api.post(`/api/explanation/${encodeURIComponent(symbol)}`, { depth });
      if (this.#orders.get(symbol) !== order) return;
      Object.assign(order, { job_id: body.job_id, url: body.status_url, stage: "Waiting for a worker" });
      this.#show();
      if (body.status === "done") await this.#ask(order);
      else {
        this.#feed.watch(order.job_id);
        this.#poll(order);
      }
    } catch (error) {
      this.#fail(order, error.message);
    }
  }

  /** The socket tells; while there is none, or where it stays silent, we ask. */
  #poll(order) {
    setTimeout(async () => {
      if (!order.is_running) return;
      const is_silent = performance.now() - (order.heard_at ?? 0) > 2 * POLL_MS;
      if (this.#feed.state !== "live" || is_silent) {
        try {
          await this.#ask(order);
        } catch (error) {
          if (error.status !== 0) return this.#fail(order, error.message);
        }
      }
      this.#poll(order);
    }, POLL_MS);
  }

  async #ask(order) {
    const body = await this.#api.get(order.url);
    if (!order.is_running) return;
    if (ENDED.has(body.status)) this.#finish(order, body);
    else this.#move(order, body);
  }

  #hear(frame) {
    const order = [...this.#orders.values()].find((one) => one.job_id === frame.job_id);
    if (!order?.is_running) return;
    order.heard_at = performance.now();
    if (frame.type === "explanation_failed") this.#fail(order, frame.reason);
    else if (frame.type === "explanation_progress") this.#move(order, frame);
    else this.#finish(order, { ...frame.explanation, generated_at: frame.generated_at, prediction: frame.prediction });
  }

  #move(order, { progress, stage, status }) {
    order.progress = Math.max(order.progress, progress ?? 0);
    order.stage = stage || (status === "queued" ? "Waiting for a worker" : "Computing");
    this.#show();
  }

  #finish(order, explanation) {
    Object.assign(order, { is_running: false, progress: 1, stage: "", document: explanation });
    this.#feed.unwatch(order.job_id);
    this.#show();
  }

  #fail(order, reason) {
    Object.assign(order, { is_running: false, stage: "", problem: reason });
    this.#feed.unwatch(order.job_id);
    this.#show();
  }

  async #cancel() {
    const order = this.#orders.get(this.#symbol);
    if (!order?.job_id) return;
    try {
      await this.#api.delete(order.url);
      this.#fail(order, "Cancelled.");
      byId("explain").focus();
    } catch (error) {
      // It was done before: its end is on the way.
      if (error.status !== 409) this.#fail(order, error.message);
    }
  }

  #show() {
    const order = this.#orders.get(this.#symbol);
    const is_running = Boolean(order?.is_running);
    // Not `disabled`: whoever pressed it by keyboard would be thrown back to the top of the page.
    byId("explain").setAttribute("aria-disabled", String(is_running));
    byId("cancel").hidden = !is_running;
    byId("progress").hidden = !is_running;
    byId("bar").value = order?.progress ?? 0;
    setText(byId("percent"), is_running ? format.percent(order.progress) : "");
    setText(byId("stage"), statusOf(order));
    const shown = order?.document ?? null;
    if (this.#shown !== shown) {
      this.#shown = shown;
      byId("explanation").replaceChildren(...(shown ? render(shown) : []));
    }
  }
}

function statusOf(order) {
  if (!order) return "Ask for the reasons behind the newest prediction; deeper takes longer and tells more.";
  if (order.problem) return order.problem;
  return order.is_running ? order.stage : "The explanation is complete.";
}

function render(found) {
  return [
    about(found),
    make("p", { className: "summary", textContent: found.summary }),
    ...contributions(found.contributions),
    ...whatIf(found.what_if),
    ...similar(found.similar_days),
    ...statements(found.statements, found.sources),
  ];
}

function about({ prediction, generated_at, depth }) {
  const { current_price, predicted_price, as_of } = prediction;
  const text =
    `Explains the prediction of ${format.marketTime(Date.parse(as_of))}: from ${format.price(current_price)} to ` +
    `${format.price(predicted_price)}. Depth ${depth}, made ${format.moment(Date.parse(generated_at))}.`;
  return make("p", { className: "hint", textContent: text });
}

/** Bars to both sides of a middle line; each item says the same in a number and in words. */
function contributions(parts) {
  const most = Math.max(...parts.map((part) => Math.abs(part.value)), Number.EPSILON);
  const sum = parts.reduce((total, part) => total + part.value, 0);
  const items = parts.map((part) => {
    const side = part.value < 0 ? "down" : "up";
    const fill = make("i", { className: side });
    fill.style.inlineSize = `${(Math.abs(part.value) / most) * 50}%`;
    return make(
      "li",
      {},
      make("strong", { textContent: format.words(part.name) }),
      make("span", { className: "two-sided", ariaHidden: "true" }, fill),
      make("span", { className: `n number ${side}`, textContent: format.signedPercent(Math.expm1(part.value), 3) }),
      make("span", { className: "words", textContent: `${direction(part.value)} ${part.text}` }),
    );
  });
  const title = `What moves it: all together ${format.signedPercent(Math.expm1(sum), 3)}`;
  return [make("h3", { textContent: title }), make("ul", { className: "contributions" }, ...items)];
}

function direction(value) {
  if (value === 0) return "Moves nothing.";
  return value < 0 ? "Pushes it down." : "Pushes it up.";
}

function whatIf(cases = []) {
  if (!cases.length) return [];
  const items = cases.map((one) => make("li", { textContent: one.text }));
  return [make("h3", { textContent: "What would turn it around" }), make("ul", {}, ...items)];
}

function similar(days = []) {
  if (!days.length) return [];
  const rows = days.map((day) => {
    const move = Math.expm1(day.move);
    const side = move < 0 ? "down" : "up";
    return make(
      "tr",
      {},
      make("th", { scope: "row", textContent: format.marketTime(Date.parse(day.date)) }),
      make("td", { className: `n ${side}`, textContent: `${side === "up" ? "▲" : "▼"} ${format.signedPercent(move)}` }),
      make("td", { className: "n", textContent: day.distance.toFixed(2) }),
    );
  });
  const head = make(
    "tr",
    {},
    make("th", { scope: "col", textContent: "Day" }),
    make("th", { scope: "col", className: "n", textContent: "What followed" }),
    make("th", { scope: "col", className: "n", textContent: "Distance (σ)" }),
  );
  return [
    make("h3", { textContent: "Days like this one" }),
    make("table", { className: "similar" }, make("thead", {}, head), make("tbody", {}, ...rows)),
  ];
}

function statements(found = [], sources = []) {
  const titles = new Map(sources.map((source) => [source.id, source.title]));
  const items = found.map((one) =>
    make(
      "li",
      {},
      one.text,
      make("span", { className: "hint", textContent: ` Rests on: ${one.sources.map((id) => titles.get(id) ?? id).join("; ")}.` }),
    ),
  );
  const details = sources.map((source) =>
    make("li", {}, make("strong", { textContent: source.title }), ` ${source.detail}`),
  );
  return [
    make("details", {}, make("summary", { textContent: "Every statement, with what it rests on" }), make("ul", {}, ...items)),
    make("details", {}, make("summary", { textContent: "Sources" }), make("ul", {}, ...details)),
  ];
}
