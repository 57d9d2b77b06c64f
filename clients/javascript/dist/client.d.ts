/** The gateway's calls, one method each. */
import type { ClientOptions } from "./configuration.js";
import { PredictionStream } from "./stream.js";
import type { StreamOptions } from "./stream.js";
import type { Accuracy, Depth, Explanation, JobAccepted, JobDone, JobPending, Prediction, PredictionBatch, Profile, Version } from "./types.js";
/** A moment: a Date, or RFC 3339 with an offset, or a date. */
export type Moment = Date | string;
export interface CallOptions {
    /** Ends the call; it then rejects with the signal's reason. */
    signal?: AbortSignal;
}
export interface ReadOptions extends CallOptions {
    /** Show what the model has seen as well. */
    includeFeatures?: boolean;
    /** What was known at that moment. */
    asOf?: Moment;
}
export interface HistoryOptions extends CallOptions {
    /** Not before. */
    from?: Moment;
    /** Not after. */
    to?: Moment;
    /** How many all in all; without it all there are. */
    limit?: number;
    /** How many a call: 1 to 1,000, by default 100. */
    pageSize?: number;
    includeFeatures?: boolean;
    /** Tell what came of each, where it is known. */
    includeOutcome?: boolean;
}
export interface OrderOptions extends CallOptions {
    /** Yours, for a day: the same key gives the same job. By default a new one, the same for all retries. */
    idempotencyKey?: string;
}
export interface ExplainOptions extends OrderOptions {
    /** Called with how the job stands, each time that it is asked for. */
    onProgress?: (job: JobPending) => void;
    /** How long to wait in all; 300,000 by default. */
    deadlineMs?: number;
}
/**
 * A client of one gateway, with one credential.
 *
 * Every method rejects with ApiError (or a subclass), ConnectionFailedError, or the reason of its signal.
 * Fields of answers are as on the wire.
 */
export declare class GatewayClient {
    #private;
    constructor(options?: ClientOptions);
    /** The newest prediction of a symbol (`AAPL`: upper case). NotFoundError where there is none. */
    prediction(symbol: string, options?: ReadOptions): Promise<Prediction>;
    /** The newest predictions of 1 to 100 symbols, and which have none. */
    predictions(symbols: readonly string[], options?: ReadOptions): Promise<PredictionBatch>;
    /** Past predictions, newest first; pages are read when they are needed. */
    history(symbol: string, options?: HistoryOptions): AsyncGenerator<Prediction, void, undefined>;
    /** How good the predictions of a symbol were. `window`: such as `30d`, `12w`, `P90D` or `all`; by default 90 days. */
    accuracy(symbol: string, options?: CallOptions & {
        window?: string;
    }): Promise<Accuracy>;
    /** Every symbol that was ever predicted, in order; pages of `pageSize` (1 to 1,000) are read when they are needed. */
    symbols(options?: CallOptions & {
        pageSize?: number;
    }): AsyncGenerator<string, void, undefined>;
    /** Order the explanation of the newest prediction. `status` is `done` where it was explained before. */
    orderExplanation(symbol: string, depth?: Depth, options?: OrderOptions): Promise<JobAccepted>;
    /** How a job stands, by `status`. JobFailedError where it has failed, NotFoundError where it is unknown or cancelled. */
    job(jobId: string, options?: CallOptions): Promise<JobPending | JobDone>;
    /** Cancel a job. ConflictError where it has ended. */
    cancelJob(jobId: string, options?: CallOptions): Promise<void>;
    /** The newest finished explanation, of `depth` or of any. NotFoundError where there is none. */
    explanation(symbol: string, depth?: Depth, options?: CallOptions): Promise<Explanation>;
    /** Order an explanation and wait for it. JobFailedError, or JobTimeoutError after `deadlineMs`. */
    explain(symbol: string, depth?: Depth, options?: ExplainOptions): Promise<Explanation>;
    /** Who calls, with which limits and what is left of them, and the usage of the last `days` (1 to 90). */
    profile(options?: CallOptions & {
        days?: number;
    }): Promise<Profile>;
    /** A ticket that opens one stream within 30 seconds: what a backend gives to its page. */
    socketTicket(options?: CallOptions): Promise<string>;
    /** Name, version and commit of the gateway. */
    version(options?: CallOptions): Promise<Version>;
    /** Live predictions of 1 to 100 symbols; the connection is made when they are first asked for. */
    stream(symbols: readonly string[], options?: StreamOptions): PredictionStream;
}
