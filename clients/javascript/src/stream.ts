/** Live predictions that come back: after a drop they go on where they were, in order and without repetition. */

import { Backlog } from "./backlog.js";
import { checkedNumber } from "./configuration.js";
import type { Configuration } from "./configuration.js";
import { CLOSING_ERRORS, comeBackMs } from "./closes.js";
import { ApiError, ConnectionFailedError, GatewayError, InvalidRequestError, StreamClosedError } from "./errors.js";
import type { Message } from "./frames.js";
import { Places } from "./places.js";
import { Connection } from "./socket.js";
import type { Ended, SocketConstructor } from "./socket.js";
import type { Positions, PredictionUpdate, StreamError, StreamMessage, Subscribed, Terms } from "./types.js";
import { sleep, within } from "./waiting.js";

export interface StreamOptions extends Terms {
  /** The `positions` of an earlier stream: go on from there. */
  since?: Positions;
  /** An access token or ticket for this stream alone, or who gives a fresh one at each connect and to renew in band. */
  token?: string | (() => string | Promise<string>);
  /** A connection that was silent for so long is dead; 45,000 by default. */
  livenessMs?: number;
  /** How many messages may wait for a slow consumer; 10,000 by default. */
  bufferSize?: number;
  /** Ends the stream: iterating rejects with the signal's reason. */
  signal?: AbortSignal;
}

export type StreamState = "connecting" | "connected" | "waiting" | "closed";

const PASSED_ON = new Set(["gap", "warning", "explanation_progress", "explanation_completed", "explanation_failed"]);
/** A connection that has lasted so long was good, even if its symbols were quiet. */
const GOOD_AFTER_MS = 60_000;

/**
 * An iterator of messages, for one consumer.
 *
 * `for await (const message of stream)` connects; leaving the loop closes. It ends with StreamClosedError where
 * coming back is useless, with ConnectionFailedError where the first connection cannot be made, with
 * InvalidRequestError where no symbol is accepted.
 */
export class PredictionStream implements AsyncIterableIterator<StreamMessage> {
  readonly #configuration: Configuration;
  readonly #symbols: readonly string[];
  readonly #livenessMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #places: Places;
  readonly #backlog: Backlog<StreamMessage>;
  readonly #stopped = new AbortController();
  readonly #delivered: Positions;
  #state: StreamState = "connecting";
  #connection: Connection | undefined;
  #running: Promise<void> | undefined;
  #failures = 0;
  #connectionId: string | null = null;
  #wasEverWelcomed = false;
  #lastError: StreamError | null = null;

  constructor(configuration: Configuration, symbols: readonly string[], options: StreamOptions) {
    this.#configuration = configuration;
    this.#symbols = [...new Set(symbols)];
    this.#livenessMs = checkedNumber("livenessMs", options.livenessMs ?? 45_000, 1000);
    this.#signal = options.signal;
    const since = pick(options.since ?? {}, this.#symbols);
    this.#places = new Places(options, since);
    this.#delivered = { ...since };
    this.#backlog = new Backlog(checkedNumber("bufferSize", options.bufferSize ?? 10_000, 1));
  }

  /** `waiting`: for the time to come back, or for a slow consumer. */
  get state(): StreamState {
    return this.#state;
  }

  /** Where each symbol stands, by what was given to the consumer: the `since` of a later stream. */
  get positions(): Positions {
    return structuredClone(this.#delivered);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<StreamMessage, undefined>> {
    this.#running ??= this.#run();
    const message = await this.#backlog.next();
    if (message === undefined) {
      return { done: true, value: undefined };
    }
    if (message.type === "prediction_update") {
      this.#delivered[message.symbol] = { epoch: message.epoch, seq: message.seq };
    }
    return { done: false, value: message };
  }

  async return(): Promise<IteratorResult<StreamMessage, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  /** Close the connection in good order; what still waits is not given any more. */
  async close(): Promise<void> {
    this.#end();
    await this.#connection?.close();
    await this.#running;
  }

  #end(error?: unknown): void {
    this.#state = "closed";
    this.#backlog.clear();
    this.#backlog.end(error);
    this.#stopped.abort();
  }

  async #run(): Promise<void> {
    const abort = (): void => {
      this.#end(this.#signal?.reason);
      void this.#connection?.close();
    };
    this.#signal?.addEventListener("abort", abort, { once: true });
    if (this.#signal?.aborted) {
      abort();
    }
    try {
      while (!this.#stopped.signal.aborted) {
        await this.#connectOnce();
      }
    } catch (error) {
      this.#backlog.end(error); // what waits is given first
    } finally {
      this.#state = "closed";
      this.#signal?.removeEventListener("abort", abort);
    }
  }

  /** One connection from its beginning to the end of the wait after it. Raises what ends the stream. */
  async #connectOnce(): Promise<void> {
    this.#state = "connecting";
    this.#connectionId = this.#lastError = null;
    const startedMs = performance.now();
    const ended = await this.#connected();
    this.#connection = undefined;
    if (this.#stopped.signal.aborted) {
      return;
    }
    if (this.#connectionId !== null && performance.now() - startedMs > GOOD_AFTER_MS) {
      this.#failures = 0;
    }
    const retryInMs = this.#retryInMs(ended);
    this.#failures += 1;
    this.#state = "waiting";
    this.#places.leave();
    this.#backlog.push({ type: "disconnected", ...ended, retry_in_ms: Math.round(retryInMs) });
    // A stop ends the wait, and nothing is wrong with that.
    await sleep(retryInMs, this.#stopped.signal).catch(() => undefined);
    await this.#backlog.drained();
  }

  async #connected(): Promise<Ended> {
    const { credential, timeoutMs } = this.#configuration;
    let secret: string;
    try {
      secret = await within(credential.secret(), timeoutMs, this.#stopped.signal);
    } catch (error) {
      if (error instanceof ApiError && [401, 403].includes(error.status)) {
        throw error; // the login has ended: no other token will come
      }
      return { code: null, reason: `no credential: ${(error as Error).message}` };
    }
    if (this.#stopped.signal.aborted) {
      return { code: null, reason: "" };
    }
    this.#connection = new Connection({
      url: `${this.#configuration.baseUrl.replace(/^http/, "ws")}/ws/predictions`,
      webSocket: this.#webSocket(),
      credential,
      secret,
      requests: this.#places.requests(this.#symbols),
      timeoutMs,
      livenessMs: this.#livenessMs,
      onMessage: (message) => this.#take(message),
    });
    return this.#connection.ended;
  }

  #webSocket(): SocketConstructor {
    const { webSocket } = this.#configuration;
    if (webSocket === undefined) {
      throw new GatewayError(
        "this runtime has no WebSocket: use Node 22 or newer, or node --experimental-websocket, or pass the option " +
          "webSocket (that of the package ws)",
      );
    }
    return webSocket;
  }

  /** How long to wait after a connection has ended; raises where coming back is useless. */
  #retryInMs(ended: Ended): number {
    if (ended.error !== undefined) {
      throw ended.error;
    }
    const close = {
      code: ended.code,
      wasWelcomed: this.#connectionId !== null,
      hasFreshCredential: this.#configuration.credential.isFresh,
      failures: this.#failures,
    };
    const retryInMs = comeBackMs(close, Math.random());
    if (retryInMs === null && ended.code !== null) {
      const error = this.#lastError;
      const detail = error?.detail ?? "coming back is useless";
      throw new StreamClosedError(ended.code, error?.code ?? null, ended.reason, detail, this.#connectionId);
    }
    const isUnreachable = ended.code === null && !this.#wasEverWelcomed;
    if (isUnreachable && this.#failures >= this.#configuration.retries) {
      const tried = `${this.#failures + 1} times`;
      const url = this.#configuration.baseUrl;
      throw new ConnectionFailedError(`the stream of ${url} cannot be opened, tried ${tried}: ${ended.reason}`);
    }
    return retryInMs ?? 0;
  }

  #take(message: Message): void {
    switch (message.type) {
      case "welcome":
        this.#welcome(message["connection_id"] as string);
        break;
      case "subscribed":
        this.#subscribed(message as unknown as Subscribed);
        break;
      case "prediction_update":
        this.#update([message as unknown as PredictionUpdate]);
        break;
      case "batch":
        this.#update(message["updates"] as PredictionUpdate[]);
        break;
      case "error":
        this.#error(message as unknown as StreamError);
        break;
      default:
        if (PASSED_ON.has(message.type)) {
          this.#backlog.push(message as unknown as StreamMessage);
        }
    }
    if (this.#backlog.isFull) {
      // Nothing can hold a WebSocket up: leave it, and resume when the consumer has caught up.
      this.#connection?.abandon("SLOW_CONSUMER", 1000);
    }
  }

  #welcome(connectionId: string): void {
    this.#connectionId = connectionId;
    this.#state = "connected";
    this.#backlog.push({ type: "connected", connection_id: connectionId, resumed: this.#wasEverWelcomed });
    this.#wasEverWelcomed = true;
  }

  #subscribed(message: Subscribed): void {
    this.#places.follow(message.symbols);
    this.#backlog.push(message);
    const first = message.rejected[0];
    if (first !== undefined && message.rejected.length === this.#symbols.length) {
      const symbols = message.rejected.map(({ symbol }) => symbol).join(", ");
      this.#backlog.end(rejection(first.error, `no symbol was accepted: ${symbols}`));
      this.#stopped.abort();
      void this.#connection?.close();
    }
  }

  #update(updates: PredictionUpdate[]): void {
    this.#failures = 0;
    for (const update of updates) {
      for (const news of this.#places.take(update)) {
        this.#backlog.push(news);
      }
    }
  }

  #error(message: StreamError): void {
    this.#lastError = message;
    if (this.#connectionId !== null && !CLOSING_ERRORS.has(message.code)) {
      this.#backlog.push(message);
    }
  }
}

function pick(since: Positions, symbols: readonly string[]): Positions {
  return Object.fromEntries(Object.entries(since).filter(([symbol]) => symbols.includes(symbol)));
}

/** As the calls over HTTP refuse the same symbols. */
function rejection(code: string, detail: string): InvalidRequestError {
  const title = "Malformed symbol";
  const nothing = { requestId: null, retryAfter: null, errors: [] };
  return new InvalidRequestError({ status: 400, code, title, detail, type: `/errors/${code}`, ...nothing });
}
