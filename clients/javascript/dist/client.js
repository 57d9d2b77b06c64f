/** The gateway's calls, one method each. */
import { Caller } from "./calls.js";
import { checkedNumber, configure, tokenCredential } from "./configuration.js";
import { GatewayError, JobTimeoutError } from "./errors.js";
import { isText } from "./frames.js";
import { parseRetryAfter } from "./retries.js";
import { PredictionStream } from "./stream.js";
import { sleep } from "./waiting.js";
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
    #configuration;
    #caller;
    constructor(options = {}) {
        this.#configuration = configure(options);
        this.#caller = new Caller(this.#configuration);
    }
    /** The newest prediction of a symbol (`AAPL`: upper case). NotFoundError where there is none. */
    async prediction(symbol, options = {}) {
        return (await this.#read(`/api/prediction/${encodeURIComponent(symbol)}`, {}, options));
    }
    /** The newest predictions of 1 to 100 symbols, and which have none. */
    async predictions(symbols, options = {}) {
        return (await this.#read("/api/predictions", { symbols: symbols.join(",") }, options));
    }
    /** Past predictions, newest first; pages are read when they are needed. */
    async *history(symbol, options = {}) {
        const { signal, limit = Infinity, pageSize = 100 } = options;
        let left = limit;
        let cursor;
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
            const page = (await this.#page(path, query, signal));
            yield* page.data.slice(0, left);
            left -= page.data.length;
            if (!page.has_more || page.next === null) {
                return;
            }
            cursor = page.next;
        }
    }
    /** How good the predictions of a symbol were. `window`: such as `30d`, `12w`, `P90D` or `all`; by default 90 days. */
    async accuracy(symbol, options = {}) {
        const path = `/api/prediction/${encodeURIComponent(symbol)}/accuracy`;
        return (await this.#get(path, { window: options.window }, options.signal));
    }
    /** Every symbol that was ever predicted, in order; pages of `pageSize` (1 to 1,000) are read when they are needed. */
    async *symbols(options = {}) {
        let after;
        do {
            const query = { limit: options.pageSize ?? 1000, after };
            const page = (await this.#page("/api/symbols", query, options.signal));
            yield* page.data;
            after = page.has_more && page.next !== null ? page.next : undefined;
        } while (after !== undefined);
    }
    /** Order the explanation of the newest prediction. `status` is `done` where it was explained before. */
    async orderExplanation(symbol, depth = "fast", options = {}) {
        return (await this.#order(symbol, depth, options, {})).value;
    }
    /** How a job stands, by `status`. JobFailedError where it has failed, NotFoundError where it is unknown or cancelled. */
    async job(jobId, options = {}) {
        return (await this.#get(jobPath(jobId), {}, options.signal));
    }
    /** Cancel a job. ConflictError where it has ended. */
    async cancelJob(jobId, options = {}) {
        await this.#caller.call({ method: "DELETE", path: jobPath(jobId), signal: options.signal });
    }
    /** The newest finished explanation, of `depth` or of any. NotFoundError where there is none. */
    async explanation(symbol, depth, options = {}) {
        const path = `/api/explanation/${encodeURIComponent(symbol)}`;
        return (await this.#get(path, { depth }, options.signal));
    }
    /** Order an explanation and wait for it. JobFailedError, or JobTimeoutError after `deadlineMs`. */
    async explain(symbol, depth = "fast", options = {}) {
        const deadlineMs = checkedNumber("deadlineMs", options.deadlineMs ?? 300_000, 0);
        const until = performance.now() + deadlineMs;
        let answer = await this.#order(symbol, depth, options, { Prefer: `wait=${HELD_S}` });
        while (!("summary" in answer.value)) {
            const { job_id, status } = answer.value;
            if ("progress" in answer.value) {
                options.onProgress?.(answer.value);
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
        return answer.value;
    }
    /** Who calls, with which limits and what is left of them, and the usage of the last `days` (1 to 90). */
    async profile(options = {}) {
        return (await this.#get("/auth/profile", { days: options.days }, options.signal));
    }
    /** A ticket that opens one stream within 30 seconds: what a backend gives to its page. */
    async socketTicket(options = {}) {
        const isDue = ({ ticket }) => isText(ticket);
        const call = { method: "POST", path: "/auth/ws-ticket", body: {}, isDue, signal: options.signal };
        return (await this.#caller.call(call)).value.ticket;
    }
    /** Name, version and commit of the gateway. */
    async version(options = {}) {
        return (await this.#get("/version", {}, options.signal));
    }
    /** Live predictions of 1 to 100 symbols; the connection is made when they are first asked for. */
    stream(symbols, options = {}) {
        const { token } = options;
        const credential = token === undefined ? this.#configuration.credential : tokenCredential(token);
        if (credential.kind === "none") {
            throw new GatewayError("a stream needs a credential: give apiKey, accessToken or token, or set PGW_API_KEY");
        }
        return new PredictionStream({ ...this.#configuration, credential }, symbols, options);
    }
    async #get(path, query, signal, agesMove = true) {
        return (await this.#caller.call({ method: "GET", path, query, signal, agesMove })).value;
    }
    async #page(path, query, signal) {
        return (await this.#caller.call({ method: "GET", path, query, signal, isDue: isPage })).value;
    }
    #read(path, query, options) {
        const all = { ...query, include_features: options.includeFeatures, as_of: textOf(options.asOf) };
        return this.#get(path, all, options.signal, options.asOf === undefined);
    }
    #order(symbol, depth, options, headers) {
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
function isPage({ data, next = null }) {
    return Array.isArray(data) && (next === null || isText(next));
}
function isJob({ job_id }) {
    return isText(job_id);
}
function jobPath(jobId) {
    return `/api/explanation/job/${encodeURIComponent(jobId)}`;
}
function textOf(moment) {
    return moment instanceof Date ? moment.toISOString() : moment;
}
/** 128 random bits; `crypto.randomUUID` is missing in pages that came over plain HTTP. */
function newIdempotencyKey() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
