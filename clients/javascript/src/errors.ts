/** What the client raises. Each message says what was wrong and has the id of the request. */

import type { ProblemEntry } from "./types.js";

/** Whatever the client raises, but for the reason of an aborted signal. */
export class GatewayError extends Error {
  override readonly name: string = "GatewayError";
}

/** No answer at all: nobody listens, the connection broke, or it took longer than the timeout; after all retries. */
export class ConnectionFailedError extends GatewayError {
  override readonly name: string = "ConnectionFailedError";
}

/** An explanation was not done within the deadline of `explain`; its job goes on. */
export class JobTimeoutError extends GatewayError {
  override readonly name: string = "JobTimeoutError";
  readonly jobId: string;

  constructor(jobId: string, deadlineMs: number) {
    super(`job ${jobId} was not done within ${deadlineMs / 1000} s; it goes on: ask with job("${jobId}")`);
    this.jobId = jobId;
  }
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
export class ApiError extends GatewayError {
  override readonly name: string = "ApiError";
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

  constructor(refusal: Refusal) {
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
  override readonly name: string = "InvalidRequestError";
}

/** 401: the credential is missing or bad. */
export class AuthenticationError extends ApiError {
  override readonly name: string = "AuthenticationError";
}

/** 403: the credential is good and may not do this. */
export class PermissionDeniedError extends ApiError {
  override readonly name: string = "PermissionDeniedError";
}

/** 404 or 410: there is no such thing, or no longer. */
export class NotFoundError extends ApiError {
  override readonly name: string = "NotFoundError";
}

/** 409: the thing is in another state. */
export class ConflictError extends ApiError {
  override readonly name: string = "ConflictError";
}

/** 429, after all retries, or where `retryAfter` lies beyond the longest wait. */
export class RateLimitError extends ApiError {
  override readonly name: string = "RateLimitError";
}

/** 5xx, after all retries where the status is retried. */
export class ServerError extends ApiError {
  override readonly name: string = "ServerError";
}

/** The explanation job has failed for good; `detail` is its reason. Ordering again computes it again. */
export class JobFailedError extends ApiError {
  override readonly name: string = "JobFailedError";
}

/** The gateway closed the stream, and coming back is useless without another credential or a mended client. */
export class StreamClosedError extends GatewayError {
  override readonly name: string = "StreamClosedError";
  /** The code of the error before the close, such as `INVALID_CREDENTIAL`; null where there was none. */
  readonly code: string | null;
  /** The close code of the WebSocket. */
  readonly closeCode: number;
  /** The reason of the close frame. */
  readonly reason: string;
  /** For people. */
  readonly detail: string;

  constructor(closeCode: number, code: string | null, reason: string, detail: string, connectionId: string | null) {
    const connection = connectionId === null ? "no connection id" : `connection ${connectionId}`;
    super(`the gateway closed the stream with ${closeCode} ${code ?? reason}: ${detail} [${connection}]`);
    this.closeCode = closeCode;
    this.code = code;
    this.reason = reason;
    this.detail = detail;
  }
}

type Kind = new (refusal: Refusal) => ApiError;

const BY_STATUS: Readonly<Record<number, Kind>> = {
  401: AuthenticationError,
  403: PermissionDeniedError,
  404: NotFoundError,
  409: ConflictError,
  410: NotFoundError,
  429: RateLimitError,
};

/** The error of a refusal, by its code and status. */
export function errorOf(refusal: Refusal): ApiError {
  if (refusal.code === "EXPLANATION_FAILED") {
    return new JobFailedError(refusal);
  }
  const fallback = refusal.status >= 500 ? ServerError : InvalidRequestError;
  return new (BY_STATUS[refusal.status] ?? fallback)(refusal);
}
