/** The frames of the WebSocket to messages: what is not of the protocol is an error, never a surprise later. Pure. */

import { GatewayError } from "./errors.js";

export interface Message {
  type: string;
  code?: string;
  [field: string]: unknown;
}

type Fields = Record<string, unknown>;

/** In characters; frames of the gateway have a fraction of it. */
export const LONGEST_FRAME = 4 * 1024 * 1024;

/** What the client itself reads of each type, and counts on; types that it does not know are not looked into. */
const CHECKS: ReadonlyMap<string, (message: Fields) => boolean> = new Map([
  ["welcome", (message: Fields) => isText(message["connection_id"])],
  ["subscribed", isSubscribed],
  ["prediction_update", isUpdate],
  ["batch", (message: Fields) => isListOf(message["updates"], isUpdate)],
  ["gap", isGap],
  ["error", (message: Fields) => isText(message["code"]) && isText(message["detail"])],
  ["warning", (message: Fields) => isText(message["code"])],
]);

/** The message of a frame. Raises GatewayError where it is not of the protocol. */
export function messageOf(data: unknown): Message {
  const value = parsed(data);
  if (!isObject(value) || !isText(value["type"])) {
    throw notOfProtocol("it is no message: is it a gateway?");
  }
  if (CHECKS.get(value["type"])?.(value) === false) {
    throw notOfProtocol(`its ${value["type"]} lacks what it must have`);
  }
  return value as Message;
}

/** The error of a frame with which nothing can be done; `why` says what is wrong with it. */
export function notOfProtocol(why: string): GatewayError {
  return new GatewayError(`a frame of the stream is not of the protocol: ${why}`);
}

/** An object that is neither null nor a list. */
export function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A list of which each is an object that `isGood` holds for. */
export function isListOf(value: unknown, isGood: (one: Fields) => boolean): boolean {
  return Array.isArray(value) && value.every((one) => isObject(one) && isGood(one));
}

export function isText(value: unknown): value is string {
  return typeof value === "string";
}

function parsed(data: unknown): unknown {
  try {
    return JSON.parse(data as string);
  } catch {
    throw notOfProtocol("it is no JSON: is it a gateway?");
  }
}

function isUpdate({ symbol, epoch, seq }: Fields): boolean {
  // A number that is not exact would be resumed from at another place.
  return isText(symbol) && isText(epoch) && Number.isSafeInteger(seq);
}

function isGap({ symbol, epoch, from, to }: Fields): boolean {
  return isText(symbol) && isText(epoch) && Number.isSafeInteger(from) && Number.isSafeInteger(to);
}

function isSubscribed({ symbols, rejected }: Fields): boolean {
  const isRejection = ({ symbol, error }: Fields): boolean => isText(symbol) && isText(error);
  return Array.isArray(symbols) && symbols.every(isText) && isListOf(rejected, isRejection);
}
