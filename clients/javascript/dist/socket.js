/** One WebSocket, from its opening to its end: credential, requests, liveness. It knows nothing of coming back. */
import { GatewayError } from "./errors.js";
import { LONGEST_FRAME, messageOf, notOfProtocol } from "./frames.js";
/** Reported by runtimes where the connection broke without a close frame. */
const NO_CLOSE_FRAME = new Set([1005, 1006]);
/** The close code of a message that is too long, as other clients send it themselves. */
const TOO_LONG = 1009;
const CLOSING_TAKES_MS = 2000;
const CLOSE_FOLLOWS_MS = 100;
/** A connection. `ended` resolves once, whatever happens. */
export class Connection {
    ended;
    #options;
    #socket;
    #settle = () => undefined;
    #timer;
    #wasOpen = false;
    #wasHeard = false;
    #wasPinged = false;
    constructor(options) {
        this.#options = options;
        this.ended = new Promise((resolve) => (this.#settle = resolve));
        this.#socket = new options.webSocket(options.url);
        this.#socket.onopen = () => this.#open();
        this.#socket.onmessage = (event) => this.#hear(event.data);
        this.#socket.onerror = () => this.#fail();
        this.#socket.onclose = (event) => this.#close(event);
        this.#timer = setTimeout(() => this.abandon("no welcome in time"), options.timeoutMs);
    }
    /** End it without waiting for the other side, which may be gone. */
    abandon(reason, code = null, error) {
        if (this.#timer === undefined) {
            return;
        }
        this.#stop();
        try {
            this.#socket.close(1000);
        }
        catch {
            // Not yet open, in some runtimes: nothing is there to be closed.
        }
        this.#settle({ code, reason, ...(error && { error }) });
    }
    /** Close it in good order. */
    async close() {
        this.#socket.onmessage = null;
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.abandon("closed by the client", 1000), CLOSING_TAKES_MS);
        this.#socket.close(1000);
        await this.ended;
    }
    #open() {
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
    #send(request) {
        this.#socket.send(JSON.stringify(request));
    }
    #hear(data) {
        this.#wasHeard = true;
        if (typeof data === "string" && data.length > LONGEST_FRAME) {
            this.abandon("a message of more than 4 MiB", TOO_LONG);
            return;
        }
        try {
            this.#handle(messageOf(data));
        }
        catch (error) {
            // Out of an event handler it would end the process.
            const told = error instanceof GatewayError ? error : notOfProtocol(error.message);
            this.abandon(told.message, null, told);
        }
    }
    #handle(message) {
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
    async #renew() {
        const { credential } = this.#options;
        if (credential.isFresh) {
            const secret = await credential.secret().catch(() => null);
            if (secret !== null && this.#timer !== undefined) {
                this.#send(authentication(credential, secret));
            }
        }
    }
    /** Pages see no pings of the server: after a third of the time in silence a request asks for a sign of life. */
    #watch() {
        const third = this.#options.livenessMs / 3;
        this.#timer = setTimeout(() => {
            if (this.#wasHeard) {
                this.#wasHeard = this.#wasPinged = false;
            }
            else if (this.#wasPinged) {
                this.abandon("nothing heard in time");
                return;
            }
            else {
                this.#wasPinged = true;
                this.#send({ action: "ping" });
            }
            this.#watch();
        }, third);
    }
    /** A close follows at once, which says more; but not in Node 20 where no connection could be made. */
    #fail() {
        setTimeout(() => this.abandon(this.#loss), CLOSE_FOLLOWS_MS);
    }
    #close({ code, reason }) {
        this.#stop();
        const isTold = !NO_CLOSE_FRAME.has(code);
        this.#settle({ code: isTold ? code : null, reason: reason || (isTold ? "" : this.#loss) });
    }
    get #loss() {
        return this.#wasOpen ? "the connection broke" : "no connection could be made";
    }
    #stop() {
        clearTimeout(this.#timer);
        this.#timer = undefined;
        this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    }
}
function authentication(credential, secret) {
    return { action: "auth", [credential.kind === "key" ? "api_key" : "token"]: secret };
}
