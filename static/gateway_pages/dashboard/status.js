// How the connection stands: state, true lag, what was dropped, what may be missing.

import { byId, make, setText } from "./dom.js";
import * as format from "./format.js";

const STATES = {
  connecting: "Connecting",
  live: "Live",
  waiting: "Connection lost",
  refused: "Key refused",
  ended: "Closed",
};

export class Status {
  #feed;
  #clock;
  #until = 0;
  #reason = "";
  #topic = "";
  #shares = { published: Number.NaN, sent: Number.NaN, here: Number.NaN };

  constructor(feed, clock) {
    this.#feed = feed;
    this.#clock = clock;
    byId("retry").addEventListener("click", () => feed.retry());
    byId("gap-close").addEventListener("click", () => this.#close());
    byId("connection").addEventListener("keydown", ({ key }) => {
      if (key !== "Escape" || !byId("connection").open) return;
      byId("connection").open = false;
      byId("connection").querySelector("summary").focus();
    });
    document.addEventListener("click", ({ target }) => {
      if (!byId("connection").contains(target)) byId("connection").open = false;
    });
    feed.addEventListener("state", ({ detail }) => {
      this.#until = performance.now() + (detail.wait_s ?? 0) * 1_000;
      this.#reason = detail.reason ?? "";
      this.show();
    });
    feed.addEventListener("updates", ({ detail }) => this.#measure(detail));
    feed.addEventListener("problem", ({ detail }) => this.tell(detail.detail));
    feed.addEventListener("warning", ({ detail }) => {
      if (detail.code === "CREDENTIAL_EXPIRES") this.tell(`The key ends at ${detail.expires_at}.`);
    });
  }

  /** Something that a person should know and may put away; what has a topic may stop to hold, see `forget`. */
  tell(text, topic = "") {
    setText(byId("gap-text"), text);
    byId("gap").hidden = false;
    this.#topic = topic;
  }

  /** What was told of the topic does not hold any more; what else is told stays. */
  forget(topic) {
    if (topic === this.#topic) this.#close();
  }

  #close() {
    byId("gap").hidden = true;
  }

  /** To be called each second, too: a countdown and the last minute move on by themselves. */
  show() {
    const { state } = this.#feed;
    const lags = this.#clock.lags;
    const is_live = state === "live";
    byId("lamp").dataset.state = state;
    setText(byId("state"), STATES[state]);
    setText(byId("lag"), is_live && lags ? format.lag(lags.median_ms) : format.NONE);
    setText(byId("dropped"), format.whole(this.#feed.dropped));
    byId("dropped").classList.toggle("bad", this.#feed.dropped > 0);
    document.body.classList.toggle("offline", !is_live);
    this.#trouble(state);
    if (byId("connection").open) this.facts();
  }

  facts() {
    const { reconnects, received, caught_up, dropped, gaps, connection_id } = this.#feed;
    const lags = this.#clock.lags;
    const facts = [
      ["State", STATES[this.#feed.state]],
      ["Lag, median of the last minute", format.lag(lags?.median_ms ?? Number.NaN)],
      ["Lag, worst of the last minute", format.lag(lags?.worst_ms ?? Number.NaN)],
      ["Newest: stored to sent", format.lag(this.#shares.sent)],
      ["Newest: sent to here", format.lag(this.#shares.here)],
      ["Updates received", format.whole(received)],
      ["Of these after a reconnect", format.whole(caught_up)],
      ["Dropped by the gateway", format.whole(dropped)],
      ["Gaps told", format.whole(gaps)],
      ["Reconnects", format.whole(reconnects)],
      ["Connection", connection_id.slice(0, 8) || format.NONE],
    ];
    const list = byId("facts");
    if (!list.children.length) {
      list.append(...facts.map(([name]) => make("div", {}, make("dt", { textContent: name }), make("dd", {}))));
    }
    facts.forEach(([, text], place) => setText(list.children[place].lastChild, text));
  }

  #measure(updates) {
    const update = updates.findLast((one) => one.lag_ms !== undefined);
    if (!update?.sent_at) return;
    const sent_ms = Date.parse(update.sent_at);
    this.#shares = {
      sent: sent_ms - Date.parse(update.published_at),
      here: Math.max(0, this.#clock.now() - sent_ms),
    };
  }

  #trouble(state) {
    const left_s = Math.max(0, Math.ceil((this.#until - performance.now()) / 1_000));
    const texts = {
      waiting: `${this.#reason || "The gateway does not answer."} What you see is what was last known. Next try in ${left_s} s.`,
      ended: `${this.#reason} Reload the page.`,
    };
    byId("trouble").hidden = !texts[state];
    byId("retry").hidden = state !== "waiting";
    if (texts[state]) setText(byId("trouble-text"), texts[state]);
  }
}
