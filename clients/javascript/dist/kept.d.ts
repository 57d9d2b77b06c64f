/** The last answers with an ETag, for conditional reads. Pure: time comes in as an argument. */
export interface Kept {
    etag: string;
    /** The body: each caller gets an object of its own. */
    text: string;
    /** When it came, in milliseconds of a clock that never goes back. */
    atMs: number;
}
/** A bounded number of answers by path and query; the one that was used longest ago goes first. */
export declare class KeptAnswers {
    #private;
    constructor(size: number);
    get(key: string): Kept | undefined;
    put(key: string, kept: Kept): void;
}
/** Move `age_seconds` of the predictions in an answer on by `seconds`, in place. */
export declare function moveAges(value: unknown, seconds: number): void;
