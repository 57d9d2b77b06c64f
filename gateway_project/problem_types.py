"""The catalogue of errors: every code a client can meet, its title, and what to do about it. Pure.

``type`` of a problem body is ``/errors/{CODE}``; that page is rendered from here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of error: its usual HTTP status, its title, and advice for the developer who meets it."""

    status: int
    title: str
    advice: str


PROBLEM_TYPES: dict[str, ProblemType] = {
    "INVALID_SYMBOL": ProblemType(
        400, "Malformed symbol", "Send the symbol in the form that the detail names, in upper case."
    ),
    "INVALID_SYMBOLS": ProblemType(
        400, "Malformed list of symbols", "Send 1 to 100 symbols, separated by commas."
    ),
    "INVALID_QUERY": ProblemType(
        400, "Malformed query", "Each entry of errors names a parameter and what it may be."
    ),
    "INVALID_BODY": ProblemType(
        422, "Wrong body", "Each entry of errors names a field of the body and what it may be."
    ),
    "PARSE_ERROR": ProblemType(400, "Malformed body", "Send a body that is valid JSON."),
    "BAD_REQUEST": ProblemType(
        400, "Bad request", "The request cannot be served as sent; the detail says why."
    ),
    "INVALID_IDEMPOTENCY_KEY": ProblemType(
        400, "Malformed idempotency key", "Send 1 to 255 printable ASCII characters, a UUID for instance."
    ),
    "NOT_AUTHENTICATED": ProblemType(
        401, "Credential missing", "Send a key as X-API-Key, or a key or token as Authorization: Bearer."
    ),
    "INVALID_CREDENTIAL": ProblemType(
        401, "Credential refused", "Check that the key is whole, not revoked and not expired."
    ),
    "LOGIN_FAILED": ProblemType(401, "Login failed", "Check user name and password."),
    "INVALID_TOKEN": ProblemType(
        401, "Token refused", "Log in again: the token has ended, was used before, or is none of ours."
    ),
    "SCOPE_MISSING": ProblemType(
        403, "Scope missing", "Use a credential that has the scope which the detail names."
    ),
    "FORBIDDEN": ProblemType(403, "Forbidden", "This caller may not do that."),
    "UNKNOWN_SYMBOL": ProblemType(
        404, "Unknown symbol", "Nothing was predicted for this symbol yet; check its spelling."
    ),
    "UNKNOWN_KEY": ProblemType(404, "Unknown key", "The account of the caller has no such key."),
    "UNKNOWN_EXPLANATION": ProblemType(
        404, "Unknown explanation", "Nothing like this was explained yet; order it with POST."
    ),
    "UNKNOWN_JOB": ProblemType(404, "Unknown job", "The account of the caller has no such job."),
    "NOT_FOUND": ProblemType(404, "Not found", "There is nothing at this path."),
    "METHOD_NOT_ALLOWED": ProblemType(
        405, "Method not allowed", "The Allow header lists the methods that this path takes."
    ),
    "NOT_ACCEPTABLE": ProblemType(
        406,
        "Not acceptable",
        "Answers are application/json: accept that, or send no Accept header.",
    ),
    "REQUEST_TIMEOUT": ProblemType(408, "Body too slow", "Send the whole body within 10 seconds."),
    "KEY_NOT_USABLE": ProblemType(
        409, "Key has ended", "A revoked or expired key cannot be changed or rotated; register a new one."
    ),
    "KEY_ALREADY_ROTATED": ProblemType(
        409, "Key was rotated before", "Rotate its successor, or wait until the overlap has passed."
    ),
    "TOO_MANY_KEYS": ProblemType(409, "Too many keys", "Revoke keys that are not used; 100 may be usable."),
    "JOB_FINISHED": ProblemType(
        409, "Job has ended", "A job that is done or failed cannot be cancelled; read its result."
    ),
    "JOB_CANCELLED": ProblemType(
        410, "Job was cancelled", "There will be no explanation from this job; order another one."
    ),
    "PAYLOAD_TOO_LARGE": ProblemType(413, "Body too large", "Send a body of at most 1 MiB."),
    "UNSUPPORTED_MEDIA_TYPE": ProblemType(
        415, "Unsupported media type", "Send the body as application/json."
    ),
    "IDEMPOTENCY_KEY_REUSED": ProblemType(
        422, "Idempotency key reused", "Send a new key with every order that differs from the one before."
    ),
    "RATE_LIMIT_EXCEEDED": ProblemType(
        429, "Rate limit exceeded", "Wait as long as Retry-After says; RateLimit-Policy lists every limit."
    ),
    "TOO_MANY_ATTEMPTS": ProblemType(
        429, "Too many attempts", "Wait as long as Retry-After says before the next try."
    ),
    "TOO_MANY_JOBS": ProblemType(
        429, "Too many jobs in flight", "Wait until one of the account's jobs ends, or cancel some."
    ),
    "EXPLANATION_FAILED": ProblemType(
        500, "Explanation failed", "The explainer gave up for the reason in the detail; order it again."
    ),
    "INTERNAL_ERROR": ProblemType(
        500, "Internal error", "It is not your fault; report it with the request_id."
    ),
    "STORE_UNAVAILABLE": ProblemType(
        503, "Store unavailable", "Try again after the time that Retry-After names."
    ),
    "OVERLOADED": ProblemType(
        503, "Overloaded", "Too many requests wait here; try again after the time in Retry-After."
    ),
    "NOT_READY": ProblemType(503, "Not ready", "The server is starting or stopping; try again."),
}
