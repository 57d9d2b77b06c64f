// The table of symbols: rows that stay where they are while their values change.

import { byId, make, setText } from "./dom.js";
import * as format from "./format.js";
import { currentRun } from "./outcomes.js";
import { moveOf } from "./store.js";

const SPARK_POINTS = 40;
const SPARK_WIDTH = 96;
const SPARK_HEIGHT = 26;
const SORT_EVERY_MS = 2_000;
const SVG = "http://www.w3.org/2000/svg";

const VALUES = {
  symbol: (row) => row.symbol,
  current: (row) => row.newest.current,
  predicted: (row) => row.newest.predicted,
  move: (row) => moveOf(row.newest),
  confidence: (row) => row.newest.confidence,
  age: (row) => -row.newest.made_ms,
};

export class Table {
  #rows = new Map();
  #store;
  #clock;
  #stale_after_ms;
  #sort = { by: "symbol", down: false };
  #filter = "";
  #direction = "all";
  #arranged_at = 0;
  #body = byId("rows");
  #seen;

  /** `onSeen(symbol)` is called once for each row that comes into view. */
  constructor(store, clock, { stale_after_ms, onSeen }) {
    this.#store = store;
    this.#clock = clock;
    this.#stale_after_ms = stale_after_ms;
    this.#seen = new IntersectionObserver((entries) => {
      for (const entry of entries.filter((one) => one.isIntersecting)) {
        this.#seen.unobserve(entry.target);
        onSeen(entry.target.dataset.symbol);
      }
    });
    for (const button of document.querySelectorAll("[data-sort]")) {
      button.addEventListener("click", () => this.#sortBy(button.dataset.sort));
    }
    byId("filter").addEventListener("input", ({ target }) => {
      this.#filter = target.value.trim().toUpperCase();
      this.arrange({ at_once: true });
    });
    byId("direction").addEventListener("change", ({ target }) => {
      this.#direction = target.value;
      this.arrange({ at_once: true });
    });
    this.#body.addEventListener("click", (event) => this.#click(event));
    this.#body.addEventListener("keydown", (event) => this.#press(event));
  }

  /** Shows the newest values of these symbols. */
  show(symbols) {
    let is_new = false;
    for (const symbol of symbols) {
      const known = this.#store.get(symbol);
      if (!known?.newest) continue;
      let row = this.#rows.get(symbol);
      if (!row) {
        row = makeRow(symbol);
        this.#rows.set(symbol, row);
        this.#seen.observe(row.element);
        is_new = true;
      }
      fill(row, known);
    }
    if (is_new) this.arrange({ at_once: true });
    else this.arrange();
    this.age();
  }

  /** Moves on what depends on the time alone. */
  age() {
    const now_ms = this.#clock.now();
    for (const row of this.#rows.values()) {
      const ms = now_ms - row.newest.made_ms;
      setText(row.age, format.age(ms));
      const is_stale = ms > this.#stale_after_ms;
      row.element.classList.toggle("stale", is_stale);
      row.age.title = is_stale ? "Older than this gateway calls fresh" : "";
    }
  }

  /** Marks the row of the open symbol. */
  choose(symbol) {
    for (const row of this.#rows.values()) {
      const is_it = row.symbol === symbol;
      row.element.classList.toggle("chosen", is_it);
      if (is_it) row.link.setAttribute("aria-current", "true");
      else row.link.removeAttribute("aria-current");
    }
  }

  /** The symbol of the first row that is shown. */
  get first() {
    return this.#body.querySelector("tr:not([hidden])")?.dataset.symbol;
  }

  /** Puts rows in their order; not under somebody's pointer or focus, and not all the time. */
  arrange({ at_once = false } = {}) {
    const now = performance.now();
    const is_used = this.#body.matches(":hover, :focus-within");
    if (!at_once && (is_used || now - this.#arranged_at < SORT_EVERY_MS)) return;
    this.#arranged_at = now;
    const value = VALUES[this.#sort.by];
    const turn = this.#sort.down ? -1 : 1;
    const rows = [...this.#rows.values()].sort((a, b) => {
      const [one, other] = [value(a), value(b)];
      return turn * (one < other ? -1 : one > other ? 1 : 0) || (a.symbol < b.symbol ? -1 : 1);
    });
    rows.forEach((row, place) => {
      if (this.#body.children[place] !== row.element) {
        this.#body.insertBefore(row.element, this.#body.children[place] ?? null);
      }
      row.element.hidden = !this.#passes(row);
    });
    const shown = rows.filter((row) => !row.element.hidden).length;
    setText(byId("count"), shown === rows.length ? `${rows.length}` : `${shown} of ${rows.length}`);
    const empty = byId("empty");
    empty.hidden = shown > 0;
    if (rows.length) setText(empty, "No symbol fits the filter.");
  }

  #passes(row) {
    const move = moveOf(row.newest);
    if (this.#direction === "up" && !(move > 0)) return false;
    if (this.#direction === "down" && !(move < 0)) return false;
    return row.symbol.toUpperCase().includes(this.#filter);
  }

  #sortBy(by) {
    const is_same = this.#sort.by === by;
    // Of numbers the greatest come first, of names the first, and of ages the freshest.
    const first_down = by !== "symbol" && by !== "age";
    this.#sort = { by, down: is_same ? !this.#sort.down : first_down };
    for (const button of document.querySelectorAll("[data-sort]")) {
      const head = button.closest("th");
      // Older is "more": the order of ages is told as that of the numbers in the column.
      if (button.dataset.sort !== by) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", this.#sort.down ? "descending" : "ascending");
    }
    this.arrange({ at_once: true });
  }

  #click(event) {
    if (event.target.closest("a")) return;
    event.target.closest("tr")?.querySelector("a").click();
  }

  #press(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const links = [...this.#body.querySelectorAll("tr:not([hidden]) a")];
    const next = links[links.indexOf(document.activeElement) + step];
    if (next) {
      next.focus();
      event.preventDefault();
    }
  }
}

function makeRow(symbol) {
  const link = make("a", { href: `#/${encodeURIComponent(symbol)}`, textContent: symbol });
  const row = {
    symbol,
    link,
    newest: null,
    version: -1,
    current: make("td", { className: "n c-price" }),
    predicted: make("td", { className: "n c-predicted" }),
    move: make("td", { className: "n c-move" }),
    share: make("span", { className: "share" }),
    fill: make("i", {}),
    line: document.createElementNS(SVG, "polyline"),
    end: document.createElementNS(SVG, "circle"),
    age: make("td", { className: "n c-age" }),
  };
  const spark = document.createElementNS(SVG, "svg");
  spark.setAttribute("viewBox", `0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}`);
  spark.setAttribute("aria-hidden", "true");
  row.end.setAttribute("r", "2");
  spark.append(row.line, row.end);
  const confidence = make("td", { className: "n c-confidence" });
  confidence.append(make("span", { className: "bar", ariaHidden: "true" }, row.fill), row.share);
  row.element = make("tr", {});
  row.element.dataset.symbol = symbol;
  row.element.append(
    make("th", { scope: "row", className: "c-symbol" }, link),
    row.current,
    row.predicted,
    row.move,
    confidence,
    make("td", { className: "c-spark" }, spark),
    row.age,
  );
  return row;
}

function fill(row, known) {
  const { newest } = known;
  if (row.newest !== newest) {
    const move = moveOf(newest);
    if (row.newest && row.newest.predicted !== newest.predicted) flash(row.predicted);
    row.newest = newest;
    setText(row.current, format.price(newest.current));
    setText(row.predicted, format.price(newest.predicted));
    showMove(row.move, move);
    setText(row.share, format.percent(newest.confidence));
    row.fill.style.inlineSize = `${Math.max(0, Math.min(1, newest.confidence)) * 100}%`;
  }
  if (row.version !== known.version) {
    row.version = known.version;
    draw(row, currentRun(known.points).slice(-SPARK_POINTS));
  }
}

/** A move with its sign, an arrow and a colour: none of them has to be seen. */
export function showMove(element, move) {
  const text = format.signedPercent(move);
  const direction = { "+": "up", [format.MINUS]: "down" }[text[0]] ?? "";
  setText(element, `${{ up: "▲ ", down: "▼ " }[direction] ?? ""}${text}`);
  element.classList.toggle("up", direction === "up");
  element.classList.toggle("down", direction === "down");
}

function flash(element) {
  element.classList.toggle("changed-a", !element.classList.toggle("changed-b", !element.classList.contains("changed-b")));
}

function draw(row, points) {
  const prices = points.map((point) => point.current);
  const low = Math.min(...prices);
  const span = Math.max(...prices) - low || 1;
  const step = (SPARK_WIDTH - 6) / Math.max(1, SPARK_POINTS - 1);
  const first = SPARK_POINTS - points.length;
  const places = prices.map((price, place) => {
    const y = 3 + (1 - (price - low) / span) * (SPARK_HEIGHT - 6);
    return [(3 + (first + place) * step).toFixed(1), y.toFixed(1)];
  });
  row.line.setAttribute("points", places.map((place) => place.join(",")).join(" "));
  const [x, y] = places.at(-1);
  row.end.setAttribute("cx", x);
  row.end.setAttribute("cy", y);
}
