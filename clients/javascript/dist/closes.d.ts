/** What follows the end of a connection: the table of close codes in docs/WEBSOCKET.md. Pure. */
/** Errors after which the gateway closes a connection that it had welcomed. */
export declare const CLOSING_ERRORS: ReadonlySet<string>;
export interface Close {
    /** The close code; null where there was no close frame. */
    code: number | null;
    /** Whether the gateway had accepted the credential of this connection. */
    wasWelcomed: boolean;
    /** Whether the next connection shows a fresh credential. */
    hasFreshCredential: boolean;
    /** How many connections in a row have ended since the last good update. */
    failures: number;
}
/** Milliseconds until the next connection; null: coming back is useless. `chance` is in [0, 1). */
export declare function comeBackMs(close: Close, chance: number): number | null;
