/** One WebSocket, from its opening to its end: credential, requests, liveness. It knows nothing of coming back. */

import type { Credential } from "./configuration.js";
import { GatewayError } from "./errors.js";
import { LONGEST_FRAME, messageOf, notOfProtocol } from "./frames.js";
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

/** Reported by runtimes where the connection broke without a close frame. */
const NO_CLOSE_FRAME = new Set([1005, 1006]);
/** The close code of a message that is too long, as other clients send it themselves. */
const TOO_LONG = 1009;
const CLOSING_TAKES_MS = 2000;
const CLOSE_FOLLOWS_MS = 100;

/** A connection. `ended` resolves once, whatever happens. */
export class Connection {
  readonly ended: Promise<Ended>;
  readonly #options: ConnectionOptions;
  readonly #socket: SocketLike;
  #settle: (ended: Ended) => void = () => undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wasOpen = false;
  #wasHeard = false;
  #wasPinged = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => (this.#settle = resolve));
    this.#socket = new options.webSocket(options.url);
    this.#socket.onopen = () => this.#open();
    this.#socket.onmessage = (event: { data: unknown }) => this.#hear(event.data);
    this.#socket.onerror = () => this.#fail();
    this.#socket.onclose = (event: { code: number; reason: string }) => this.#close(event);
    this.#timer = setTimeout(() => this.abandon("no welcome in time"), options.timeoutMs);
  }

  /** End it without waiting for the other side, which may be gone. */
  abandon(reason: string, code: number | null = null, error?: Error): void {
    if (this.#timer === undefined) {
      return;
    }
    this.#stop();
    try {
      this.#socket.close(1000);
    } catch {
      // Not yet open, in some runtimes: nothing is there to be closed.
    }
    this.#settle({ code, reason, ...(error && { error }) });
  }

  /** Close it in good order. */
  async close(): Promise<void> {
    this.#socket.onmessage = null;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.abandon("closed by the client", 1000), CLOSING_TAKES_MS);
    this.#socket.close(1000);
    await this.ended;
  }

  #open(): void {
    this.#wasOpen = true;
    const { credential, secret, requests } = this.#options;
    if (credential.kind !== "none") {
      this.#send(authentication(credential, secret));
    }
    // Requests are handled in order: the welcome need not be waited for.
    for (const request of requests) {
      this.#send(request);
    }
  }

  #send(request: object): void {
    this.#socket.send(JSON.stringify(request));
  }

  #hear(data: unknown): void {
    this.#wasHeard = true;
    if (typeof data === "string" && data.length > LONGEST_FRAME) {
      this.abandon("a message of more than 4 MiB", TOO_LONG);
      return;
    }
    try {
      this.#handle(messageOf(data));
    } catch (error) {
      // Out of an event handler it would end the process.
      const told = error instanceof GatewayError ? error : notOfProtocol((error as Error).message);
      this.abandon(told.message, null, told);
    }
  }

  #handle(message: Message): void {
    if (message.type === "welcome") {
      clearTimeout(this.#timer);
      this.#watch();
    }
    if (message.type === "warning" && message.code === "CREDENTIAL_EXPIRES") {
      void this.#renew();
    }
    this.#options.onMessage(message);
  }

  /** A token that cannot be had now is no harm: the connection ends with the old one, and the next one asks again. */
  async #renew(): Promise<void> {
    const { credential } = this.#options;
    if (credential.isFresh) {
      const secret = await credential.secret().catch(() => null);
      if (secret !== null && this.#timer !== undefined) {
        this.#send(authentication(credential, secret));
      }
    }
  }

  /** Pages see no pings of the server: after a third of the time in silence a request asks for a sign of life. */
  #watch(): void {
    const third = this.#options.livenessMs / 3;
    this.#timer = setTimeout(() => {
      if (this.#wasHeard) {
        this.#wasHeard = this.#wasPinged = false;
      } else if (this.#wasPinged) {
        this.abandon("nothing heard in time");
        return;
      } else {
        this.#wasPinged = true;
        this.#send({ action: "ping" });
      }
      this.#watch();
    }, third);
  }

  /** A close follows at once, which says more; but not in Node 20 where no connection could be made. */
  #fail(): void {
    setTimeout(() => this.abandon(this.#loss), CLOSE_FOLLOWS_MS);
  }

  #close({ code, reason }: { code: number; reason: string }): void {
    this.#stop();
    const isTold = !NO_CLOSE_FRAME.has(code);
    this.#settle({ code: isTold ? code : null, reason: reason || (isTold ? "" : this.#loss) });
  }

  get #loss(): string {
    return this.#wasOpen ? "the connection broke" : "no connection could be made";
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
  }
}

function authentication(credential: Credential, secret: string): object {
  return { action: "auth", [credential.kind === "key" ? "api_key" : "token"]: secret };
}
