/** What the client raises. Each message says what was wrong and has the id of the request. */
import type { ProblemEntry } from "./types.js";
/** Whatever the client raises, but for the reason of an aborted signal. */
export declare class GatewayError extends Error {
    readonly name: string;
}
/** No answer at all: nobody listens, the connection broke, or it took longer than the timeout; after all retries. */
export declare class ConnectionFailedError extends GatewayError {
    readonly name: string;
}
/** An explanation was not done within the deadline of `explain`; its job goes on. */
export declare class JobTimeoutError extends GatewayError {
    readonly name: string;
    readonly jobId: string;
    constructor(jobId: string, deadlineMs: number);
}
/** What is known of an answer that refuses. */
export interface Refusal {
    status: number;
    code: string | null;
    title: string;
    detail: string;
    type: string;
    requestId: string | null;
    retryAfter: number | null;
    errors: ProblemEntry[];
}
/** The gateway (or a proxy before it) refused: an RFC 9457 problem. */
export declare class ApiError extends GatewayError {
    readonly name: string;
    /** HTTP status. */
    readonly status: number;
    /** The stable code, such as `UNKNOWN_SYMBOL`; null where something else than the gateway answered. */
    readonly code: string | null;
    readonly title: string;
    /** For people; it may change. */
    readonly detail: string;
    /** URI reference of the kind of problem. */
    readonly type: string;
    /** What to report; null where the answer has none. */
    readonly requestId: string | null;
    /** Seconds after which to try again; null where nothing was said. */
    readonly retryAfter: number | null;
    /** What is wrong in a query or body: `pointer`, `detail`, `code`. */
    readonly errors: readonly ProblemEntry[];
    constructor(refusal: Refusal);
}
/** The request is wrong: 400, 405, 406, 408, 413, 415, 422. */
export declare class InvalidRequestError extends ApiError {
    readonly name: string;
}
/** 401: the credential is missing or bad. */
export declare class AuthenticationError extends ApiError {
    readonly name: string;
}
/** 403: the credential is good and may not do this. */
export declare class PermissionDeniedError extends ApiError {
    readonly name: string;
}
/** 404 or 410: there is no such thing, or no longer. */
export declare class NotFoundError extends ApiError {
    readonly name: string;
}
/** 409: the thing is in another state. */
export declare class ConflictError extends ApiError {
    readonly name: string;
}
/** 429, after all retries, or where `retryAfter` lies beyond the longest wait. */
export declare class RateLimitError extends ApiError {
    readonly name: string;
}
/** 5xx, after all retries where the status is retried. */
export declare class ServerError extends ApiError {
    readonly name: string;
}
/** The explanation job has failed for good; `detail` is its reason. Ordering again computes it again. */
export declare class JobFailedError extends ApiError {
    readonly name: string;
}
/** The gateway closed the stream, and coming back is useless without another credential or a mended client. */
export declare class StreamClosedError extends GatewayError {
    readonly name: string;
    /** The code of the error before the close, such as `INVALID_CREDENTIAL`; null where there was none. */
    readonly code: string | null;
    /** The close code of the WebSocket. */
    readonly closeCode: number;
    /** The reason of the close frame. */
    readonly reason: string;
    /** For people. */
    readonly detail: string;
    constructor(closeCode: number, code: string | null, reason: string, detail: string, connectionId: string | null);
}
/** The error of a refusal, by its code and status. */
export declare function errorOf(refusal: Refusal): ApiError;
