/** Waiting that a signal ends. */
/** Resolves after `ms`; rejects with the signal's reason when it is aborted. */
export declare function sleep(ms: number, signal?: AbortSignal): Promise<void>;
