/** The frames of the WebSocket to messages: what is not of the protocol is an error, never a surprise later. Pure. */
import { GatewayError } from "./errors.js";
/** In characters; frames of the gateway have a fraction of it. */
export const LONGEST_FRAME = 4 * 1024 * 1024;
/** What the client itself reads of each type, and counts on; types that it does not know are not looked into. */
const CHECKS = new Map([
    ["welcome", (message) => isText(message["connection_id"])],
    ["subscribed", isSubscribed],
    ["prediction_update", isUpdate],
    ["batch", (message) => isListOf(message["updates"], isUpdate)],
    ["gap", isGap],
    ["error", (message) => isText(message["code"]) && isText(message["detail"])],
    ["warning", (message) => isText(message["code"])],
]);
/** The message of a frame. Raises GatewayError where it is not of the protocol. */
export function messageOf(data) {
    const value = parsed(data);
    if (!isObject(value) || !isText(value["type"])) {
        throw notOfProtocol("it is no message: is it a gateway?");
    }
    if (CHECKS.get(value["type"])?.(value) === false) {
        throw notOfProtocol(`its ${value["type"]} lacks what it must have`);
    }
    return value;
}
/** The error of a frame with which nothing can be done; `why` says what is wrong with it. */
export function notOfProtocol(why) {
    return new GatewayError(`a frame of the stream is not of the protocol: ${why}`);
}
/** An object that is neither null nor a list. */
export function isObject(value) {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}
/** A list of which each is an object that `isGood` holds for. */
export function isListOf(value, isGood) {
    return Array.isArray(value) && value.every((one) => isObject(one) && isGood(one));
}
export function isText(value) {
    return typeof value === "string";
}
function parsed(data) {
    try {
        return JSON.parse(data);
    }
    catch {
        throw notOfProtocol("it is no JSON: is it a gateway?");
    }
}
function isUpdate({ symbol, epoch, seq }) {
    // A number that is not exact would be resumed from at another place.
    return isText(symbol) && isText(epoch) && Number.isSafeInteger(seq);
}
function isGap({ symbol, epoch, from, to }) {
    return isText(symbol) && isText(epoch) && Number.isSafeInteger(from) && Number.isSafeInteger(to);
}
function isSubscribed({ symbols, rejected }) {
    const isRejection = ({ symbol, error }) => isText(symbol) && isText(error);
    return Array.isArray(symbols) && symbols.every(isText) && isListOf(rejected, isRejection);
}
