/** When a call is made again. Pure: chance comes in as an argument. */
const RETRIED = new Set([429, 502, 503, 504]);
const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 30_000;
/** Spreads those who were told the same instant. */
const SPREAD_MS = 250;
/** Milliseconds to wait before the next call; null: there is none. `chance` is in [0, 1). */
export function retryDelayMs(policy, outcome, chance) {
    const { attempt, status, retryAfter } = outcome;
    if (attempt >= policy.retries || (status !== null && !RETRIED.has(status))) {
        return null;
    }
    if (retryAfter !== null) {
        const toldMs = retryAfter * 1000;
        return toldMs > policy.maxWaitMs ? null : toldMs + chance * SPREAD_MS;
    }
    const ceiling = Math.min(FIRST_BACKOFF_MS * 2 ** attempt, LONGEST_BACKOFF_MS, policy.maxWaitMs);
    return chance * ceiling;
}
/** Seconds of a `Retry-After`, which is a number or an HTTP date; null where it is neither. */
export function parseRetryAfter(header, nowMs) {
    if (header === null || header.trim() === "") {
        return null;
    }
    const seconds = Number(header);
    if (Number.isFinite(seconds)) {
        return Math.max(0, seconds);
    }
    const date = Date.parse(header);
    return Number.isNaN(date) ? null : Math.max(0, (date - nowMs) / 1000);
}
/** Seconds that somebody else told as they can be waited: not negative, and null for what is no length. */
export function boundedS(seconds) {
    return Number.isFinite(seconds) ? Math.max(0, seconds) : null;
}
