/** One WebSocket, from its opening to its end: credential, requests, liveness. It knows nothing of coming back. */
import type { Credential } from "./configuration.js";
import type { Message } from "./frames.js";
/** What of the standard WebSocket is used; that of the package `ws` has it, too. */
export interface SocketLike {
    onopen: ((event: never) => unknown) | null;
    onmessage: ((event: never) => unknown) | null;
    onerror: ((event: never) => unknown) | null;
    onclose: ((event: never) => unknown) | null;
    send(text: string): void;
    close(code?: number, reason?: string): void;
}
export type SocketConstructor = new (url: string) => SocketLike;
/** How a connection has ended. `code` is null where there was no close frame. */
export interface Ended {
    code: number | null;
    reason: string;
    /** What was said is not of the protocol, and would not be the next time. */
    error?: Error;
}
export interface ConnectionOptions {
    url: string;
    webSocket: SocketConstructor;
    credential: Credential;
    /** The secret of this connection. */
    secret: string;
    requests: readonly object[];
    /** How long the welcome may take. */
    timeoutMs: number;
    /** How long it may be silent. */
    livenessMs: number;
    onMessage: (message: Message) => void;
}
/** A connection. `ended` resolves once, whatever happens. */
export declare class Connection {
    #private;
    readonly ended: Promise<Ended>;
    constructor(options: ConnectionOptions);
    /** End it without waiting for the other side, which may be gone. */
    abandon(reason: string, code?: number | null, error?: Error): void;
    /** Close it in good order. */
    close(): Promise<void>;
}
