/** One call over HTTP: credential, timeout, retries, conditional reads, errors. */
import { readText } from "./bodies.js";
import { ApiError, ConnectionFailedError, errorOf, GatewayError } from "./errors.js";
import { isListOf, isObject, isText } from "./frames.js";
import { KeptAnswers, moveAges } from "./kept.js";
import { boundedS, parseRetryAfter, retryDelayMs } from "./retries.js";
import { sleep, within } from "./waiting.js";
/** A browser does not tell a page that it was refused the answer. */
const HINT = "document" in globalThis ? "; does CORS_ORIGINS of the gateway name the origin of this page?" : "";
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Calls one gateway. */
export class Caller {
    #configuration;
    #kept;
    constructor(configuration) {
        this.#configuration = configuration;
        this.#kept = new KeptAnswers(configuration.cacheSize);
    }
    /** The gateway's answer, a 304 as the answer that it confirms. Raises ApiError, ConnectionFailedError, or the reason of the signal. */
    async call(call) {
        const target = call.path + queryOf(call.query);
        const kept = call.method === "GET" ? this.#kept.get(target) : undefined;
        for (let attempt = 0;; attempt += 1) {
            const received = await this.#attempt(call, target, kept);
            const refusal = received instanceof Error ? null : refusalOf(received, Date.now());
            const status = received instanceof Error ? null : received.response.status;
            const retryInMs = this.#retryInMs(attempt, status, refusal);
            if (!(received instanceof Error)) {
                this.#tell(call, received.response, attempt, retryInMs);
            }
            if (retryInMs !== null) {
                await sleep(retryInMs, call.signal);
            }
            else if (received instanceof Error) {
                throw this.#failure(call, received, attempt + 1);
            }
            else if (refusal !== null) {
                throw errorOf(refusal);
            }
            else {
                return this.#answer(call, target, received, kept);
            }
        }
    }
    #retryInMs(attempt, status, refusal) {
        if (status !== null && refusal === null) {
            return null;
        }
        const outcome = { attempt, status, retryAfter: refusal?.retryAfter ?? null };
        return retryDelayMs(this.#configuration, outcome, Math.random());
    }
    async #attempt(call, target, kept) {
        const headers = await this.#headers(call, kept);
        call.signal?.throwIfAborted();
        const controller = new AbortController();
        const abort = () => controller.abort();
        call.signal?.addEventListener("abort", abort, { once: true });
        const timer = setTimeout(abort, this.#configuration.timeoutMs);
        try {
            const response = await this.#configuration.fetch(this.#configuration.baseUrl + target, {
                method: call.method,
                headers,
                body: call.body === undefined ? null : JSON.stringify(call.body),
                signal: controller.signal,
                // A browser's own cache would hide changes for as long as max-age says.
                cache: "no-store",
                credentials: "omit",
                // A redirect to another origin would take the key along.
                redirect: "manual",
            });
            const text = await readText(response);
            if (text === null) {
                throw unexpected(response, "the answer is not read: it is longer than 32 MiB");
            }
            return { response, text };
        }
        catch (error) {
            if (error instanceof ApiError) {
                throw error;
            }
            call.signal?.throwIfAborted();
            const { timeoutMs } = this.#configuration;
            return controller.signal.aborted ? new Error(`nothing within ${timeoutMs} ms`) : reasonOf(error);
        }
        finally {
            clearTimeout(timer);
            call.signal?.removeEventListener("abort", abort);
        }
    }
    async #headers(call, kept) {
        const headers = { Accept: "application/json", ...call.headers };
        const { credential, timeoutMs } = this.#configuration;
        const secret = await within(credential.secret(), timeoutMs, call.signal);
        if (credential.kind === "key") {
            headers["X-API-Key"] = secret;
        }
        else if (credential.kind === "token") {
            headers["Authorization"] = `Bearer ${secret}`;
        }
        if (call.body !== undefined) {
            headers["Content-Type"] = "application/json";
        }
        if (kept !== undefined) {
            headers["If-None-Match"] = kept.etag;
        }
        return headers;
    }
    #tell(call, response, attempt, retryInMs) {
        const requestId = response.headers.get("X-Request-ID");
        const { method, path } = call;
        const { status, headers } = response;
        this.#configuration.onResponse?.({ method, path, status, requestId, attempt, retryInMs, headers });
    }
    #answer(call, target, received, kept) {
        const { status, headers } = received.response;
        if (status === 304 && kept !== undefined) {
            const value = JSON.parse(kept.text);
            if (call.agesMove ?? true) {
                moveAges(value, (performance.now() - kept.atMs) / 1000);
            }
            return { status, headers, value };
        }
        const value = this.#parse(call, received);
        const etag = headers.get("ETag");
        if (call.method === "GET" && status === 200 && etag !== null) {
            this.#kept.put(target, { etag, text: received.text, atMs: performance.now() });
        }
        return { status, headers, value };
    }
    #parse(call, { response, text }) {
        if (call.method === "DELETE") {
            return null;
        }
        let value;
        try {
            value = JSON.parse(text);
        }
        catch {
            const what = `${call.method} ${this.#configuration.baseUrl}${call.path}`;
            throw new GatewayError(`${what} answered ${response.status} with what is no JSON: is it a gateway?`);
        }
        if (!isObject(value) || call.isDue?.(value) === false) {
            throw unexpected(response, `${call.method} ${call.path} is not answered as the API says`);
        }
        return value;
    }
    #failure(call, cause, calls) {
        const what = `${call.method} ${this.#configuration.baseUrl}${call.path}`;
        const times = calls === 1 ? "once" : `${calls} times`;
        const told = `${what}: no answer, asked ${times}; the last time: ${cause.message} [no request id]${HINT}`;
        return new ConnectionFailedError(told, { cause });
    }
}
function queryOf(query) {
    const pairs = Object.entries(query ?? {}).filter(([, value]) => value !== undefined);
    const text = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
    return text === "" ? "" : `?${text}`;
}
/** Node says "fetch failed" and keeps why in the cause. */
function reasonOf(error) {
    const { message, cause } = error;
    const told = cause;
    const why = told?.message || told?.code;
    return new Error(why ? `${message} (${why})` : message, { cause: error });
}
/** The error of an answer that says it is good and is not what the API says. */
function unexpected(response, detail) {
    return new ApiError({
        status: response.status,
        code: null,
        title: "Unexpected answer",
        detail,
        type: "about:blank",
        requestId: response.headers.get("X-Request-ID"),
        retryAfter: null,
        errors: [],
    });
}
/** What an answer refuses with; null where it does not. */
function refusalOf({ response, text }, nowMs) {
    if (response.type === "opaqueredirect" || REDIRECTS.has(response.status)) {
        const where = response.headers.get("Location");
        throw new GatewayError(`the gateway redirects${where ? ` to ${where}` : ""}: set baseUrl to where it leads`);
    }
    if (response.ok || response.status === 304) {
        return null;
    }
    const problem = problemOf(text);
    const title = problem.title ?? (response.statusText || "refused");
    return {
        status: response.status,
        code: problem.error ?? null,
        title,
        detail: problem.detail ?? "the answer is no problem document: something before the gateway has answered",
        type: problem.type ?? "about:blank",
        requestId: problem.request_id ?? response.headers.get("X-Request-ID"),
        retryAfter: parseRetryAfter(response.headers.get("Retry-After"), nowMs) ?? boundedS(problem.retry_after),
        errors: problem.errors ?? [],
    };
}
function problemOf(text) {
    try {
        const value = JSON.parse(text);
        return isProblem(value) ? value : {};
    }
    catch {
        return {};
    }
}
/** One field of another kind, and it is the document of somebody else. */
function isProblem(value) {
    if (!isObject(value)) {
        return false;
    }
    const { type = "", title = "", detail = "", error, request_id, retry_after, errors = [] } = value;
    const isEntry = (one) => [one["pointer"], one["detail"], one["code"]].every(isText);
    return ([type, title, detail, error ?? "", request_id ?? ""].every(isText) &&
        typeof (retry_after ?? 0) === "number" &&
        isListOf(errors, isEntry));
}
