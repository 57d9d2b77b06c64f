/** Waiting that a signal ends. */
/** Resolves after `ms`; rejects with the signal's reason when it is aborted. */
export declare function sleep(ms: number, signal?: AbortSignal): Promise<void>;
/** What `promise` gives, if it does within `ms`; rejects with GatewayError otherwise, or with the signal's reason. */
export declare function within<Value>(promise: Promise<Value>, ms: number, signal?: AbortSignal): Promise<Value>;
