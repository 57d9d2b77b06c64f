/** What a client is made with: options, environment, defaults. */

import { GatewayError } from "./errors.js";
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

interface Runtime {
  process?: { env?: Record<string, string | undefined> };
  location?: { href: string };
  WebSocket?: SocketConstructor;
}

const runtime = globalThis as Runtime;

function fromEnvironment(name: string): string | undefined {
  return runtime.process?.env?.[name] || undefined;
}

/** Options with defaults. Raises GatewayError where a value cannot be meant. */
export function configure(options: ClientOptions): Configuration {
  return {
    baseUrl: checkedUrl(options.baseUrl ?? fromEnvironment("PGW_URL") ?? "http://127.0.0.1:8000"),
    credential: credentialOf(options),
    timeoutMs: checkedNumber("timeoutMs", options.timeoutMs ?? 10_000, 1),
    retries: checkedNumber("retries", options.retries ?? 3, 0),
    maxWaitMs: checkedNumber("maxWaitMs", options.maxWaitMs ?? 60_000, 0),
    cacheSize: checkedNumber("cacheSize", options.cacheSize ?? 256, 0),
    onResponse: options.onResponse,
    // Called as a plain function: browsers refuse a fetch that is somebody's method.
    fetch: options.fetch ?? ((...call) => globalThis.fetch(...call)),
    webSocket: options.webSocket ?? runtime.WebSocket,
  };
}

/** The value, if it is a number from `least` on. */
export function checkedNumber(name: string, value: number, least: number): number {
  if (!Number.isFinite(value) || value < least) {
    throw new GatewayError(`${name} must be a number, ${least} or more`);
  }
  return value;
}

function checkedUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text, runtime.location?.href);
  } catch {
    throw new GatewayError("baseUrl is no URL; it looks like https://gateway.example");
  }
  if (!/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw new GatewayError("baseUrl must be http(s)://host[:port][/path], without user, query and fragment");
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

function credentialOf(options: ClientOptions): Credential {
  if (options.accessToken !== undefined) {
    if (typeof options.apiKey === "string") {
      throw new GatewayError("give apiKey or accessToken, not both");
    }
    return tokenCredential(options.accessToken);
  }
  const key = options.apiKey === undefined ? fromEnvironment("PGW_API_KEY") : options.apiKey;
  if (key === undefined || key === null) {
    return { kind: "none", isFresh: false, secret: () => Promise.resolve("") };
  }
  const checked = checkedSecret("apiKey", key);
  return { kind: "key", isFresh: false, secret: () => Promise.resolve(checked) };
}

/** The credential of a token, or of who gives fresh ones. */
export function tokenCredential(token: string | (() => Awaitable<string>)): Credential {
  const give = typeof token === "function" ? token : () => token;
  const secret = async (): Promise<string> => checkedSecret("the token", await give());
  return { kind: "token", isFresh: typeof token === "function", secret };
}

/** Checked here because a runtime's complaint about a header shows its value. */
function checkedSecret(name: string, value: string): string {
  const secret = typeof value === "string" ? value.trim() : "";
  if (!/^[\x21-\x7e]+$/.test(secret)) {
    throw new GatewayError(`${name} is empty, or has characters that no credential has`);
  }
  return secret;
}
