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
    "PARSE_ERROR": ProblemType(400, "Malformed body", "Send a body that is valid JSON."),
    "BAD_REQUEST": ProblemType(
        400, "Bad request", "The request cannot be served as sent; the detail says why."
    ),
    "NOT_AUTHENTICATED": ProblemType(
        401, "Credential missing", "Send a key as X-API-Key, or as Authorization: Bearer."
    ),
    "INVALID_CREDENTIAL": ProblemType(
        401, "Credential refused", "Check that the key is whole, not revoked and not expired."
    ),
    "SCOPE_MISSING": ProblemType(403, "Scope missing", "Ask for a key that has the scope this call needs."),
    "FORBIDDEN": ProblemType(403, "Forbidden", "This caller may not do that."),
    "UNKNOWN_SYMBOL": ProblemType(
        404, "Unknown symbol", "Nothing was predicted for this symbol yet; check its spelling."
    ),
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
    "PAYLOAD_TOO_LARGE": ProblemType(413, "Body too large", "Send a body of at most 1 MiB."),
    "UNSUPPORTED_MEDIA_TYPE": ProblemType(
        415, "Unsupported media type", "Send the body as application/json."
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
