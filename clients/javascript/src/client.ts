/** The gateway's calls, one method each. */

import { Caller } from "./calls.js";
import { checkedNumber, configure, tokenCredential } from "./configuration.js";
import type { ClientOptions, Configuration } from "./configuration.js";
import { GatewayError, JobTimeoutError } from "./errors.js";
import { isText } from "./frames.js";
import { parseRetryAfter } from "./retries.js";
import { PredictionStream } from "./stream.js";
import type { StreamOptions } from "./stream.js";
import type {
  Accuracy,
  Depth,
  Explanation,
  JobAccepted,
  JobDone,
  JobPending,
  Prediction,
  PredictionBatch,
  Profile,
  Version,
} from "./types.js";
import { sleep } from "./waiting.js";

/** A moment: a Date, or RFC 3339 with an offset, or a date. */
export type Moment = Date | string;

export interface CallOptions {
  /** Ends the call; it then rejects with the signal's reason. */
  signal?: AbortSignal;
}

export interface ReadOptions extends CallOptions {
  /** Show what the model has seen as well. */
  includeFeatures?: boolean;
  /** What was known at that moment. */
  asOf?: Moment;
}

export interface HistoryOptions extends CallOptions {
  /** Not before. */
  from?: Moment;
  /** Not after. */
  to?: Moment;
  /** How many all in all; without it all there are. */
  limit?: number;
  /** How many a call: 1 to 1,000, by default 100. */
  pageSize?: number;
  includeFeatures?: boolean;
  /** Tell what came of each, where it is known. */
  includeOutcome?: boolean;
}

export interface OrderOptions extends CallOptions {
  /** Yours, for a day: the same key gives the same job. By default a new one, the same for all retries. */
  idempotencyKey?: string;
}

export interface ExplainOptions extends OrderOptions {
  /** Called with how the job stands, each time that it is asked for. */
  onProgress?: (job: JobPending) => void;
  /** How long to wait in all; 300,000 by default. */
  deadlineMs?: number;
}

interface Page<Row> {
  data: Row[];
  has_more: boolean;
  next: string | null;
}

/** The order of `explain` is held back this long by the gateway: what is quick needs no second call. */
const HELD_S = 1;
const ASK_AGAIN_S = 1;
const SHORTEST_WAIT_S = 0.1;

/**
 * A client of one gateway, with one credential.
 *
 * Every method rejects with ApiError (or a subclass), ConnectionFailedError, or the reason of its signal.
 * Fields of answers are as on the wire.
 */
export class GatewayClient {
  readonly #configuration: Configuration;
  readonly #caller: Caller;

  constructor(options: ClientOptions = {}) {
    this.#configuration = configure(options);
    this.#caller = new Caller(this.#configuration);
  }

  /** The newest prediction of a symbol (`AAPL`: upper case). NotFoundError where there is none. */
  async prediction(symbol: string, options: ReadOptions = {}): Promise<Prediction> {
    return (await this.#read(`/api/prediction/${encodeURIComponent(symbol)}`, {}, options)) as Prediction;
  }

  /** The newest predictions of 1 to 100 symbols, and which have none. */
  async predictions(symbols: readonly string[], options: ReadOptions = {}): Promise<PredictionBatch> {
    return (await this.#read("/api/predictions", { symbols: symbols.join(",") }, options)) as PredictionBatch;
  }

  /** Past predictions, newest first; pages are read when they are needed. */
  async *history(symbol: string, options: HistoryOptions = {}): AsyncGenerator<Prediction, void, undefined> {
    const { signal, limit = Infinity, pageSize = 100 } = options;
    let left = limit;
    let cursor: string | undefined;
    while (left > 0) {
      const query = {
        from: textOf(options.from),
        to: textOf(options.to),
        include_features: options.includeFeatures,
        include_outcome: options.includeOutcome,
        limit: Math.min(pageSize, left),
        cursor,
      };
      const path = `/api/prediction/${encodeURIComponent(symbol)}/history`;
      const page = (await this.#page(path, query, signal)) as Page<Prediction>;
      yield* page.data.slice(0, left);
      left -= page.data.length;
      if (!page.has_more || page.next === null) {
        return;
      }
      cursor = page.next;
    }
  }

  /** How good the predictions of a symbol were. `window`: such as `30d`, `12w`, `P90D` or `all`; by default 90 days. */
  async accuracy(symbol: string, options: CallOptions & { window?: string } = {}): Promise<Accuracy> {
    const path = `/api/prediction/${encodeURIComponent(symbol)}/accuracy`;
    return (await this.#get(path, { window: options.window }, options.signal)) as Accuracy;
  }

  /** Every symbol that was ever predicted, in order; pages of `pageSize` (1 to 1,000) are read when they are needed. */
  async *symbols(options: CallOptions & { pageSize?: number } = {}): AsyncGenerator<string, void, undefined> {
    let after: string | undefined;
    do {
      const query = { limit: options.pageSize ?? 1000, after };
      const page = (await this.#page("/api/symbols", query, options.signal)) as Page<string>;
      yield* page.data;
      after = page.has_more && page.next !== null ? page.next : undefined;
    } while (after !== undefined);
  }

  /** Order the explanation of the newest prediction. `status` is `done` where it was explained before. */
  async orderExplanation(symbol: string, depth: Depth = "fast", options: OrderOptions = {}): Promise<JobAccepted> {
    return (await this.#order(symbol, depth, options, {})).value as JobAccepted;
  }

  /** How a job stands, by `status`. JobFailedError where it has failed, NotFoundError where it is unknown or cancelled. */
  async job(jobId: string, options: CallOptions = {}): Promise<JobPending | JobDone> {
    return (await this.#get(jobPath(jobId), {}, options.signal)) as JobPending | JobDone;
  }

  /** Cancel a job. ConflictError where it has ended. */
  async cancelJob(jobId: string, options: CallOptions = {}): Promise<void> {
    await this.#caller.call({ method: "DELETE", path: jobPath(jobId), signal: options.signal });
  }

  /** The newest finished explanation, of `depth` or of any. NotFoundError where there is none. */
  async explanation(symbol: string, depth?: Depth, options: CallOptions = {}): Promise<Explanation> {
    const path = `/api/explanation/${encodeURIComponent(symbol)}`;
    return (await this.#get(path, { depth }, options.signal)) as Explanation;
  }

  /** Order an explanation and wait for it. JobFailedError, or JobTimeoutError after `deadlineMs`. */
  async explain(symbol: string, depth: Depth = "fast", options: ExplainOptions = {}): Promise<Explanation> {
    const deadlineMs = checkedNumber("deadlineMs", options.deadlineMs ?? 300_000, 0);
    const until = performance.now() + deadlineMs;
    let answer = await this.#order(symbol, depth, options, { Prefer: `wait=${HELD_S}` });
    while (!("summary" in (answer.value as object))) {
      const { job_id, status } = answer.value as JobAccepted;
      if ("progress" in (answer.value as object)) {
        options.onProgress?.(answer.value as JobPending);
      }
      const told = parseRetryAfter(answer.headers.get("Retry-After"), Date.now()) ?? ASK_AGAIN_S;
      const waitS = status === "done" ? 0 : Math.max(told, SHORTEST_WAIT_S);
      const leftMs = until - performance.now();
      if (leftMs <= 0) {
        throw new JobTimeoutError(job_id, deadlineMs);
      }
      await sleep(Math.min(waitS * 1000, leftMs), options.signal);
      answer = await this.#caller.call({ method: "GET", path: jobPath(job_id), isDue: isJob, signal: options.signal });
    }
    return answer.value as Explanation;
  }

  /** Who calls, with which limits and what is left of them, and the usage of the last `days` (1 to 90). */
  async profile(options: CallOptions & { days?: number } = {}): Promise<Profile> {
    return (await this.#get("/auth/profile", { days: options.days }, options.signal)) as Profile;
  }

  /** A ticket that opens one stream within 30 seconds: what a backend gives to its page. */
  async socketTicket(options: CallOptions = {}): Promise<string> {
    const isDue = ({ ticket }: Record<string, unknown>): boolean => isText(ticket);
    const call = { method: "POST", path: "/auth/ws-ticket", body: {}, isDue, signal: options.signal } as const;
    return ((await this.#caller.call(call)).value as { ticket: string }).ticket;
  }

  /** Name, version and commit of the gateway. */
  async version(options: CallOptions = {}): Promise<Version> {
    return (await this.#get("/version", {}, options.signal)) as Version;
  }

  /** Live predictions of 1 to 100 symbols; the connection is made when they are first asked for. */
  stream(symbols: readonly string[], options: StreamOptions = {}): PredictionStream {
    const { token } = options;
    const credential = token === undefined ? this.#configuration.credential : tokenCredential(token);
    if (credential.kind === "none") {
      throw new GatewayError("a stream needs a credential: give apiKey, accessToken or token, or set PGW_API_KEY");
    }
    return new PredictionStream({ ...this.#configuration, credential }, symbols, options);
  }

  async #get(path: string, query: Query, signal: AbortSignal | undefined, agesMove = true): Promise<unknown> {
    return (await this.#caller.call({ method: "GET", path, query, signal, agesMove })).value;
  }

  async #page(path: string, query: Query, signal: AbortSignal | undefined): Promise<unknown> {
    return (await this.#caller.call({ method: "GET", path, query, signal, isDue: isPage })).value;
  }

  #read(path: string, query: Query, options: ReadOptions): Promise<unknown> {
    const all = { ...query, include_features: options.includeFeatures, as_of: textOf(options.asOf) };
    return this.#get(path, all, options.signal, options.asOf === undefined);
  }

  #order(symbol: string, depth: Depth, options: OrderOptions, headers: Record<string, string>) {
    return this.#caller.call({
      method: "POST",
      path: `/api/explanation/${encodeURIComponent(symbol)}`,
      headers: { ...headers, "Idempotency-Key": options.idempotencyKey ?? newIdempotencyKey() },
      body: { depth },
      isDue: isJob,
      signal: options.signal,
    });
  }
}

type Query = Record<string, string | number | boolean | undefined>;

function isPage({ data, next = null }: Record<string, unknown>): boolean {
  return Array.isArray(data) && (next === null || isText(next));
}

function isJob({ job_id }: Record<string, unknown>): boolean {
  return isText(job_id);
}

function jobPath(jobId: string): string {
  return `/api/explanation/job/${encodeURIComponent(jobId)}`;
}

function textOf(moment: Moment | undefined): string | undefined {
  return moment instanceof Date ? moment.toISOString() : moment;
}

/** 128 random bits; `crypto.randomUUID` is missing in pages that came over plain HTTP. */
function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
