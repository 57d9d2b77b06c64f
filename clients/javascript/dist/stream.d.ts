/** Live predictions that come back: after a drop they go on where they were, in order and without repetition. */
import type { Configuration } from "./configuration.js";
import type { Positions, StreamMessage, Terms } from "./types.js";
export interface StreamOptions extends Terms {
    /** The `positions` of an earlier stream: go on from there. */
    since?: Positions;
    /** An access token or ticket for this stream alone, or who gives a fresh one at each connect and to renew in band. */
    token?: string | (() => string | Promise<string>);
    /** A connection that was silent for so long is dead; 45,000 by default. */
    livenessMs?: number;
    /** How many messages may wait for a slow consumer; 10,000 by default. */
    bufferSize?: number;
    /** Ends the stream: iterating rejects with the signal's reason. */
    signal?: AbortSignal;
}
export type StreamState = "connecting" | "connected" | "waiting" | "closed";
/**
 * An iterator of messages, for one consumer.
 *
 * `for await (const message of stream)` connects; leaving the loop closes. It ends with StreamClosedError where
 * coming back is useless, with ConnectionFailedError where the first connection cannot be made, with
 * InvalidRequestError where no symbol is accepted.
 */
export declare class PredictionStream implements AsyncIterableIterator<StreamMessage> {
    #private;
    constructor(configuration: Configuration, symbols: readonly string[], options: StreamOptions);
    /** `waiting`: for the time to come back, or for a slow consumer. */
    get state(): StreamState;
    /** Where each symbol stands, by what was given to the consumer: the `since` of a later stream. */
    get positions(): Positions;
    [Symbol.asyncIterator](): this;
    next(): Promise<IteratorResult<StreamMessage, undefined>>;
    return(): Promise<IteratorResult<StreamMessage, undefined>>;
    /** Close the connection in good order; what still waits is not given any more. */
    close(): Promise<void>;
}
