/** The frames of the WebSocket to messages: what is not of the protocol is an error, never a surprise later. Pure. */
import { GatewayError } from "./errors.js";
export interface Message {
    type: string;
    code?: string;
    [field: string]: unknown;
}
type Fields = Record<string, unknown>;
/** In characters; frames of the gateway have a fraction of it. */
export declare const LONGEST_FRAME: number;
/** The message of a frame. Raises GatewayError where it is not of the protocol. */
export declare function messageOf(data: unknown): Message;
/** The error of a frame with which nothing can be done; `why` says what is wrong with it. */
export declare function notOfProtocol(why: string): GatewayError;
/** An object that is neither null nor a list. */
export declare function isObject(value: unknown): value is Fields;
/** A list of which each is an object that `isGood` holds for. */
export declare function isListOf(value: unknown, isGood: (one: Fields) => boolean): boolean;
export declare function isText(value: unknown): value is string;
export {};
