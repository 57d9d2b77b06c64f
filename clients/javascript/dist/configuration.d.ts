/** What a client is made with: options, environment, defaults. */
import type { SocketConstructor } from "./socket.js";
type Awaitable<Value> = Value | Promise<Value>;
/** One answer, as `onResponse` is told of it. */
export interface ResponseInfo {
    method: string;
    /** Path without query. */
    path: string;
    status: number;
    requestId: string | null;
    /** How many calls came before: 0 for the first. */
    attempt: number;
    /** When the call is made again; null: it is not. */
    retryInMs: number | null;
    /** Among them `RateLimit`, `X-RateLimit-Remaining` and `Warning`. */
    headers: Headers;
}
export interface ClientOptions {
    /** Where the gateway is; by default `PGW_URL`, else `http://127.0.0.1:8000`. In a page it may be relative. */
    baseUrl?: string;
    /** By default `PGW_API_KEY`, else none; null: none. Pages should rather use `accessToken`. */
    apiKey?: string | null;
    /** An access token, or who gives a fresh one: asked at each call and connect, and to renew a stream in band. */
    accessToken?: string | (() => Awaitable<string>);
    /** How long one answer may take; 10,000 by default. */
    timeoutMs?: number;
    /** How often a call is made again at most; 3 by default. */
    retries?: number;
    /** A longer `Retry-After` is raised at once; 60,000 by default. */
    maxWaitMs?: number;
    /** How many answers are kept for conditional reads; 256 by default, 0: none. */
    cacheSize?: number;
    /** Called after every answer, 304 and refusals too. */
    onResponse?: (response: ResponseInfo) => void;
    /** Another implementation of `fetch`. */
    fetch?: typeof globalThis.fetch;
    /** Another implementation of `WebSocket`, such as that of the package `ws`. */
    webSocket?: SocketConstructor;
}
/** What a caller shows: nothing, a key, or a token; the secret is asked for when it is needed. */
export interface Credential {
    kind: "none" | "key" | "token";
    /** Whether each call of `secret` may give another one. */
    isFresh: boolean;
    secret: () => Promise<string>;
}
export interface Configuration {
    baseUrl: string;
    credential: Credential;
    timeoutMs: number;
    retries: number;
    maxWaitMs: number;
    cacheSize: number;
    onResponse: ((response: ResponseInfo) => void) | undefined;
    fetch: typeof globalThis.fetch;
    webSocket: SocketConstructor | undefined;
}
/** Options with defaults. Raises GatewayError where a value cannot be meant. */
export declare function configure(options: ClientOptions): Configuration;
/** The value, if it is a number from `least` on. */
export declare function checkedNumber(name: string, value: number, least: number): number;
/** The credential of a token, or of who gives fresh ones. */
export declare function tokenCredential(token: string | (() => Awaitable<string>)): Credential;
export {};
