/** What the client raises. Each message says what was wrong and has the id of the request. */
/** Whatever the client raises, but for the reason of an aborted signal. */
export class GatewayError extends Error {
    name = "GatewayError";
}
/** No answer at all: nobody listens, the connection broke, or it took longer than the timeout; after all retries. */
export class ConnectionFailedError extends GatewayError {
    name = "ConnectionFailedError";
}
/** An explanation was not done within the deadline of `explain`; its job goes on. */
export class JobTimeoutError extends GatewayError {
    name = "JobTimeoutError";
    jobId;
    constructor(jobId, deadlineMs) {
        super(`job ${jobId} was not done within ${deadlineMs / 1000} s; it goes on: ask with job("${jobId}")`);
        this.jobId = jobId;
    }
}
/** The gateway (or a proxy before it) refused: an RFC 9457 problem. */
export class ApiError extends GatewayError {
    name = "ApiError";
    /** HTTP status. */
    status;
    /** The stable code, such as `UNKNOWN_SYMBOL`; null where something else than the gateway answered. */
    code;
    title;
    /** For people; it may change. */
    detail;
    /** URI reference of the kind of problem. */
    type;
    /** What to report; null where the answer has none. */
    requestId;
    /** Seconds after which to try again; null where nothing was said. */
    retryAfter;
    /** What is wrong in a query or body: `pointer`, `detail`, `code`. */
    errors;
    constructor(refusal) {
        const { status, code, title, detail, requestId, errors } = refusal;
        const entries = errors.map((entry) => `; ${entry.pointer}: ${entry.detail}`).join("");
        const request = requestId === null ? "no request id" : `request ${requestId}`;
        super(`${status} ${code ?? title}: ${detail}${entries} [${request}]`);
        this.status = status;
        this.code = code;
        this.title = title;
        this.detail = detail;
        this.type = refusal.type;
        this.requestId = requestId;
        this.retryAfter = refusal.retryAfter;
        this.errors = errors;
    }
}
/** The request is wrong: 400, 405, 406, 408, 413, 415, 422. */
export class InvalidRequestError extends ApiError {
    name = "InvalidRequestError";
}
/** 401: the credential is missing or bad. */
export class AuthenticationError extends ApiError {
    name = "AuthenticationError";
}
/** 403: the credential is good and may not do this. */
export class PermissionDeniedError extends ApiError {
    name = "PermissionDeniedError";
}
/** 404 or 410: there is no such thing, or no longer. */
export class NotFoundError extends ApiError {
    name = "NotFoundError";
}
/** 409: the thing is in another state. */
export class ConflictError extends ApiError {
    name = "ConflictError";
}
/** 429, after all retries, or where `retryAfter` lies beyond the longest wait. */
export class RateLimitError extends ApiError {
    name = "RateLimitError";
}
/** 5xx, after all retries where the status is retried. */
export class ServerError extends ApiError {
    name = "ServerError";
}
/** The explanation job has failed for good; `detail` is its reason. Ordering again computes it again. */
export class JobFailedError extends ApiError {
    name = "JobFailedError";
}
/** The gateway closed the stream, and coming back is useless without another credential or a mended client. */
export class StreamClosedError extends GatewayError {
    name = "StreamClosedError";
    /** The code of the error before the close, such as `INVALID_CREDENTIAL`; null where there was none. */
    code;
    /** The close code of the WebSocket. */
    closeCode;
    /** The reason of the close frame. */
    reason;
    /** For people. */
    detail;
    constructor(closeCode, code, reason, detail, connectionId) {
        const connection = connectionId === null ? "no connection id" : `connection ${connectionId}`;
        super(`the gateway closed the stream with ${closeCode} ${code ?? reason}: ${detail} [${connection}]`);
        this.closeCode = closeCode;
        this.code = code;
        this.reason = reason;
        this.detail = detail;
    }
}
const BY_STATUS = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: NotFoundError,
    429: RateLimitError,
};
/** The error of a refusal, by its code and status. */
export function errorOf(refusal) {
    if (refusal.code === "EXPLANATION_FAILED") {
        return new JobFailedError(refusal);
    }
    const fallback = refusal.status >= 500 ? ServerError : InvalidRequestError;
    return new (BY_STATUS[refusal.status] ?? fallback)(refusal);
}
