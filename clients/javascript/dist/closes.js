/** What follows the end of a connection: the table of close codes in docs/WEBSOCKET.md. Pure. */
/** Mend the client, or get another credential. 1007: no UTF-8; 1009: a message too big for the server. */
const USELESS = new Set([1007, 1009, 4400, 4401, 4403, 4413]);
const CREDENTIAL = 4401;
const IDLE = 4408;
const TOO_FAST = 4429;
const AFTER_TOO_FAST_MS = 60_000;
const LONGEST_BACKOFF_MS = 30_000;
/** Errors after which the gateway closes a connection that it had welcomed. */
export const CLOSING_ERRORS = new Set([
    "MESSAGE_TOO_BIG",
    "TOO_FAST",
    "CREDENTIAL_ENDED",
    "CREDENTIAL_CHANGED",
    "TOO_MANY_CONNECTIONS",
    "SERVER_FULL",
    "DISCONNECTED",
    "IDLE",
    "SLOW_READER",
]);
/** Milliseconds until the next connection; null: coming back is useless. `chance` is in [0, 1). */
export function comeBackMs(close, chance) {
    const { code, failures } = close;
    if (code !== null && USELESS.has(code)) {
        const mayRenew = code === CREDENTIAL && close.wasWelcomed && close.hasFreshCredential;
        if (!mayRenew) {
            return null;
        }
    }
    if (code === IDLE && failures === 0) {
        return 0;
    }
    if (code === TOO_FAST) {
        return AFTER_TOO_FAST_MS * (1 + 0.1 * chance);
    }
    return Math.min(1000 * 2 ** failures, LONGEST_BACKOFF_MS) * (0.5 + 0.5 * chance);
}
