// The WebSocket: one connection that comes back, resumes where it was, and tells what was lost (docs/WEBSOCKET.md).

const PATH = "/ws/predictions";
const INTERVAL_MS = 250;
const PING_MS = 10_000;
const SILENT_MS = 30_000;
const MOST_BACKOFF_S = 30;
const MOST_SYMBOLS = 100;

// What to do after a close, by its code; all others: come back with backoff.
const HOPELESS = new Set([4400, 4413]);
const NEEDS_KEY = new Set([4401, 4403]);
const WAIT_S = { 4408: 0, 4409: 30, 4429: 60 };

/**
 * Events: `state` {state, wait_s?, reason?}, `updates` [update …], `gap` frame, `warning` frame, `explanation`
 * frame, `facts`. States: connecting, live, waiting, refused (needs another key), ended.
 */
export class Feed extends EventTarget {
  received = 0;
  dropped = 0;
  gaps = 0;
  caught_up = 0;
  reconnects = 0;
  connection_id = "";
  state = "connecting";

  #key;
  #clock;
  #socket = null;
  #symbols = new Set();
  #places = new Map();
  #jobs = new Set();
  #backoff_s = 1;
  #timer = 0;
  #beat = 0;
  #heard_at = 0;
  #pings = new Map();
  #welcomed_ms = Number.NaN;
  #said = "";
  #last_id = 0;

  constructor(key, clock) {
    super();
    this.#key = key;
    this.#clock = clock;
    // A page that was asleep, or a network that is back, need not wait for its turn.
    addEventListener("online", () => this.retry());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.retry();
    });
  }

  start() {
    this.#connect();
  }

  /** Come back now instead of later. */
  retry() {
    if (this.state === "waiting") this.#connect();
  }

  /** Follow these symbols too; 100 at most. */
  follow(symbols) {
    const fresh = symbols.filter((one) => !this.#symbols.has(one)).slice(0, MOST_SYMBOLS - this.#symbols.size);
    for (const symbol of fresh) this.#symbols.add(symbol);
    if (this.state === "live" && fresh.length) this.#subscribe(fresh);
  }

  /** Hear of a job until it ends. */
  watch(job_id) {
    this.#jobs.add(job_id);
    if (this.state === "live") this.#send({ action: "watch", job_id, id: `watch ${job_id}` });
  }

  unwatch(job_id) {
    this.#jobs.delete(job_id);
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#become("connecting");
    this.#said = "";
    const url = new URL(PATH, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onopen = () => {
      if (socket === this.#socket) this.#send({ action: "auth", api_key: this.#key });
    };
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      this.#heard_at = performance.now();
      this.#hear(JSON.parse(data));
    };
    socket.onclose = ({ code }) => {
      if (socket === this.#socket) this.#closed(code);
    };
    this.#heard_at = performance.now();
    clearInterval(this.#beat);
    this.#beat = setInterval(() => this.#ping(), PING_MS);
  }

  #closed(code) {
    clearInterval(this.#beat);
    this.#socket = null;
    this.#pings.clear();
    const reason = this.#said;
    if (HOPELESS.has(code)) return this.#become("ended", { reason });
    if (NEEDS_KEY.has(code)) return this.#become("refused", { reason });
    let wait_s = WAIT_S[code];
    if (wait_s === undefined) {
      // Jitter: those who were cut off together must not come back together.
      wait_s = this.#backoff_s * (0.5 + Math.random() / 2);
      this.#backoff_s = Math.min(2 * this.#backoff_s, MOST_BACKOFF_S);
    }
    this.reconnects++;
    this.#timer = setTimeout(() => this.#connect(), wait_s * 1_000);
    this.#become("waiting", { wait_s, reason });
  }

  #ping() {
    if (performance.now() - this.#heard_at > SILENT_MS) {
      // A dead peer does not answer a close either: do not wait for it.
      const dead = this.#socket;
      this.#socket = null;
      dead?.close();
      this.#closed(1006);
    } else if (this.state === "live") {
      const id = `ping ${++this.#last_id}`;
      this.#pings.set(id, performance.now());
      this.#send({ action: "ping", id });
    }
  }

  #hear(frame) {
    switch (frame.type) {
      case "welcome":
        this.connection_id = frame.connection_id;
        this.#clock.reset();
        this.#welcomed_ms = Date.now();
        this.#become("live");
        this.#resume();
        for (const job_id of this.#jobs) this.watch(job_id);
        this.#ping();
        break;
      case "prediction_update":
        this.#take([frame]);
        break;
      case "batch":
        this.#take(frame.updates);
        break;
      case "gap":
        this.gaps++;
        this.#emit("gap", frame);
        break;
      case "warning":
        if (frame.code === "UPDATES_DROPPED") this.dropped += frame.dropped;
        this.#emit("warning", frame);
        break;
      case "error":
        this.#said = frame.detail;
        this.#emit("problem", frame);
        break;
      case "pong":
        this.#ponged(frame.id);
        break;
      case "explanation_progress":
      case "explanation_completed":
      case "explanation_failed":
        if (frame.type !== "explanation_progress") this.#jobs.delete(frame.job_id);
        this.#emit("explanation", frame);
        break;
      default: // The protocol may grow.
    }
    this.#emit("facts");
  }

  #ponged(id) {
    const sent = this.#pings.get(id);
    if (sent === undefined) return;
    this.#pings.delete(id);
    this.#clock.roundTrip(performance.now() - sent);
  }

  #take(updates) {
    this.#backoff_s = 1;
    for (const update of updates) {
      this.#places.set(update.symbol, { epoch: update.epoch, seq: update.seq });
      if (update.sent_at) this.#clock.heard(Date.parse(update.sent_at));
      if (!update.snapshot) this.received++;
    }
    for (const update of updates) this.#measure(update);
    this.#emit("updates", updates);
  }

  /** The lag of an update that is news; what was missed while we were away is counted instead. */
  #measure(update) {
    if (update.snapshot) return;
    // What the gateway reads from its record does not say when it was published.
    const published_ms = Date.parse(update.published_at ?? "");
    if (published_ms >= this.#clock.now(this.#welcomed_ms)) update.lag_ms = this.#clock.arrived(published_ms);
    else this.caught_up++;
  }

  #resume() {
    const fresh = [];
    const by_epoch = new Map();
    for (const symbol of this.#symbols) {
      const place = this.#places.get(symbol);
      if (place?.epoch === undefined || place.seq === undefined) fresh.push(symbol);
      else by_epoch.set(place.epoch, { ...by_epoch.get(place.epoch), [symbol]: place.seq });
    }
    for (const [epoch, seqs] of by_epoch) {
      const since = { epoch, seq: Math.min(...Object.values(seqs)), seqs };
      this.#subscribe(Object.keys(seqs), { since });
    }
    if (fresh.length) this.#subscribe(fresh);
  }

  #subscribe(symbols, more = {}) {
    this.#send({ action: "subscribe", symbols, mode: "batch", interval_ms: INTERVAL_MS, timing: true, ...more });
  }

  #send(request) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(request));
  }

  #become(state, more = {}) {
    this.state = state;
    this.#emit("state", { state, ...more });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
