// The dashboard: which key it calls with, what it asks for, and how the parts hear of each other.

import { Api } from "./api.js";
import { Clock } from "./clock.js";
import { Detail } from "./detail.js";
import { byId, oncePerFrame, setText } from "./dom.js";
import { Explanations } from "./explain.js";
import { Feed } from "./feed.js";
import * as format from "./format.js";
import { readHistory } from "./outcomes.js";
import { Status } from "./status.js";
import { Store, pointOf } from "./store.js";
import { Table } from "./table.js";

const KEPT = "pgw.dashboard.key";
const MOST_SYMBOLS = 100;
const HISTORY_OF_ROWS = 40;
const HISTORY_OF_THE_OPEN = 250;
const LOOK_FOR_SYMBOLS_MS = 60_000;
const PLACE = "#/";
const WIDE = matchMedia("(min-width: 72rem)");

const given = document.body.dataset.key;
const key = given || sessionStorage.getItem(KEPT);

if (key) run(key);
else ask();

/** Asks for a key. It goes into this tab's memory and nowhere else; the page begins anew with it. */
function ask(reason = "") {
  byId("ask").hidden = false;
  for (const section of document.querySelectorAll("main > section")) section.hidden = true;
  if (reason) setText(byId("ask-why"), reason);
  setText(byId("state"), "No key");
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEPT, byId("ask-key").value.trim());
    location.reload();
  });
  byId("ask-key").focus();
}

/** The symbol in an address such as "#/AAPL". */
function named_in(hash) {
  try {
    return hash.startsWith(PLACE) ? decodeURIComponent(hash.slice(PLACE.length)) : "";
  } catch {
    return ""; // a "%" that escapes nothing
  }
}

function run(with_key) {
  const clock = new Clock();
  const api = new Api(with_key);
  const feed = new Feed(with_key, clock);
  const store = new Store();
  const status = new Status(feed, clock);
  const stale_after_ms = Number(document.body.dataset.staleAfterS) * 1_000;
  const table = new Table(store, clock, { stale_after_ms, onSeen: (symbol) => load(symbol, HISTORY_OF_ROWS) });
  const detail = new Detail(api, store, clock);
  const explanations = new Explanations(api, feed);
  const changed = new Set();
  const missing = new Map();
  let is_chosen = false;
  let is_list_missing = false;

  const show = oncePerFrame(() => {
    const symbols = [...changed];
    changed.clear();
    table.show(symbols);
    const was_chosen = is_chosen;
    if (!is_chosen) open();
    if (was_chosen && symbols.includes(detail.symbol)) detail.show();
    const market = store.market;
    byId("replay").hidden = !market?.is_replay;
    if (market) setText(byId("market-time"), format.marketTime(market.as_of_ms));
  });

  function take(symbol, points) {
    store.add(symbol).take(points);
    changed.add(symbol);
    show();
  }

  /** Reads the newest predictions of a symbol from the record. */
  async function load(symbol, limit) {
    try {
      const rows = await readHistory(api, symbol, limit);
      take(symbol, rows.map(pointOf));
    } catch (error) {
      // 404: known a moment ago, and the first update is still on its way.
      if (error.status === 404) return;
      missing.set(symbol, limit);
      status.tell(`The history of ${symbol} cannot be read: ${error.message}`, "history");
    }
  }

  /** After an outage: what could not be read meanwhile. */
  function catchUp() {
    detail.catchUp();
    if (is_list_missing) find();
    if (!missing.size) return;
    status.forget("history");
    const symbols = [...missing];
    missing.clear();
    for (const [symbol, limit] of symbols) load(symbol, limit);
  }

  /** Opens what the address names; at a desk, where it names nothing, the first row. */
  function open() {
    const named = named_in(location.hash);
    const symbol = store.get(named)?.newest ? named : WIDE.matches ? table.first : null;
    document.body.classList.toggle("one", Boolean(named) && symbol === named);
    if (!symbol) {
      detail.close();
      table.choose(null);
      return;
    }
    is_chosen = true;
    if (symbol === detail.symbol) return;
    table.choose(symbol);
    detail.open(symbol);
    explanations.open(symbol);
    load(symbol, HISTORY_OF_THE_OPEN);
  }

  addEventListener("hashchange", () => {
    if (location.hash && !location.hash.startsWith(PLACE)) return; // the skip link
    const before = detail.symbol;
    open();
    if (WIDE.matches) return;
    // One view takes the place of the other: whoever moves by keyboard must not be left in what is hidden.
    if (document.body.classList.contains("one")) {
      byId("symbol").focus();
      scrollTo(0, 0);
    } else if (before) document.querySelector(`tr[data-symbol="${CSS.escape(before)}"] a`)?.focus();
  });
  WIDE.addEventListener("change", open);

  feed.addEventListener("updates", ({ detail: updates }) => {
    for (const update of updates) take(update.symbol, [pointOf(update)]);
  });
  feed.addEventListener("gap", ({ detail: gap }) => {
    status.tell(
      `Updates of ${gap.symbol} between ${gap.from} and ${gap.to} may not have come over the socket; ` +
        "they were read again from the record.",
    );
    load(gap.symbol, HISTORY_OF_THE_OPEN);
  });
  feed.addEventListener("state", ({ detail: { state, reason } }) => {
    if (state === "live") catchUp();
    if (state !== "refused") return;
    sessionStorage.removeItem(KEPT);
    ask(`${reason || "The gateway has refused the key."} Enter another one.`);
  });

  async function find() {
    try {
      const { data, has_more } = await api.get(`/api/symbols?limit=${MOST_SYMBOLS}`);
      is_list_missing = false;
      status.forget("symbols");
      const fresh = data.filter((symbol) => !store.get(symbol));
      if (!fresh.length) return;
      // All of them at once, so that the table is whole when it is first seen; then each as it comes.
      const { predictions } = await api.get(`/api/predictions?symbols=${fresh.map(encodeURIComponent).join()}`);
      for (const [symbol, prediction] of Object.entries(predictions)) take(symbol, [pointOf(prediction)]);
      feed.follow(data);
      if (has_more) status.tell(`Only the first ${MOST_SYMBOLS} symbols are shown.`);
    } catch (error) {
      if (error.status === 401 || error.status === 403) return;
      is_list_missing = true;
      status.tell(`The list of symbols cannot be read: ${error.message}`, "symbols");
    }
  }

  feed.start();
  find();
  setInterval(find, LOOK_FOR_SYMBOLS_MS);
  setInterval(() => {
    table.age();
    table.arrange();
    detail.age();
    status.show();
  }, 1_000);
}
