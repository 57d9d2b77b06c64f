/** When a call is made again. Pure: chance comes in as an argument. */
export interface RetryPolicy {
    /** How often a call is made again at most. */
    retries: number;
    /** No wait is longer. */
    maxWaitMs: number;
}
export interface Outcome {
    /** How many calls came before: 0 for the first. */
    attempt: number;
    /** HTTP status; null where there was no answer. */
    status: number | null;
    /** Seconds; null where nothing was said. */
    retryAfter: number | null;
}
/** Milliseconds to wait before the next call; null: there is none. `chance` is in [0, 1). */
export declare function retryDelayMs(policy: RetryPolicy, outcome: Outcome, chance: number): number | null;
/** Seconds of a `Retry-After`, which is a number or an HTTP date; null where it is neither. */
export declare function parseRetryAfter(header: string | null, nowMs: number): number | null;
/** Seconds that somebody else told as they can be waited: not negative, and null for what is no length. */
export declare function boundedS(seconds: number | null | undefined): number | null;
