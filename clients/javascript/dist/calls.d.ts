/** One call over HTTP: credential, timeout, retries, conditional reads, errors. */
import type { Configuration } from "./configuration.js";
export interface Call {
    method: "GET" | "POST" | "DELETE";
    path: string;
    /** Values that are undefined are left out. */
    query?: Record<string, string | number | boolean | undefined>;
    headers?: Record<string, string>;
    body?: unknown;
    /** Whether ages in a kept answer go on; not so where they are those of a moment in the past. */
    agesMove?: boolean;
    /** Whether an answer has what the client itself reads of it. */
    isDue?: (value: Record<string, unknown>) => boolean;
    signal?: AbortSignal | undefined;
}
export interface Answer {
    status: number;
    headers: Headers;
    /** An object; null as the answer to DELETE. */
    value: unknown;
}
/** Calls one gateway. */
export declare class Caller {
    #private;
    constructor(configuration: Configuration);
    /** The gateway's answer, a 304 as the answer that it confirms. Raises ApiError, ConnectionFailedError, or the reason of the signal. */
    call(call: Call): Promise<Answer>;
}
