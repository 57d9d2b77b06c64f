/** What a client is made with: options, environment, defaults. */
import { GatewayError } from "./errors.js";
const runtime = globalThis;
function fromEnvironment(name) {
    return runtime.process?.env?.[name] || undefined;
}
/** Options with defaults. Raises GatewayError where a value cannot be meant. */
export function configure(options) {
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
export function checkedNumber(name, value, least) {
    if (!Number.isFinite(value) || value < least) {
        throw new GatewayError(`${name} must be a number, ${least} or more`);
    }
    return value;
}
function checkedUrl(text) {
    let url;
    try {
        url = new URL(text, runtime.location?.href);
    }
    catch {
        throw new GatewayError("baseUrl is no URL; it looks like https://gateway.example");
    }
    if (!/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
        throw new GatewayError("baseUrl must be http(s)://host[:port][/path], without user, query and fragment");
    }
    return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}
function credentialOf(options) {
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
export function tokenCredential(token) {
    const give = typeof token === "function" ? token : () => token;
    const secret = async () => checkedSecret("the token", await give());
    return { kind: "token", isFresh: typeof token === "function", secret };
}
/** Checked here because a runtime's complaint about a header shows its value. */
function checkedSecret(name, value) {
    const secret = typeof value === "string" ? value.trim() : "";
    if (!/^[\x21-\x7e]+$/.test(secret)) {
        throw new GatewayError(`${name} is empty, or has characters that no credential has`);
    }
    return secret;
}
