/** Where each symbol of a stream stands, and what follows from it: what to ask for, and what is news. Pure. */
import type { Gap, Positions, PredictionUpdate, Terms } from "./types.js";
/** A `subscribe` of the protocol. */
export interface SubscribeRequest {
    action: "subscribe";
    symbols: string[];
    since?: {
        epoch: string;
        seq: number;
        seqs: Record<string, number>;
    };
    [term: string]: unknown;
}
/** `epoch` and `seq` by symbol. */
export declare class Places {
    #private;
    constructor(terms: Terms, since: Positions);
    /** Requests for `symbols`: those with a place go on from there, one request for each epoch. */
    requests(symbols: readonly string[]): SubscribeRequest[];
    /** The flow of `symbols` begins. */
    follow(symbols: readonly string[]): void;
    /** The connection has ended: what comes next is no longer the first that the stream sees. */
    leave(): void;
    /** What of an update is news: nothing if it was had, and a gap before it where a hole cannot be ruled out. */
    take(update: PredictionUpdate): (Gap | PredictionUpdate)[];
}
