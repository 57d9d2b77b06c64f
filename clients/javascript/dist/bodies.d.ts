/** The body of an answer, counted while it is read: no server can fill the memory. */
/** Bytes, unpacked: the longest page of a history has less than a tenth of it. */
export declare const LONGEST_BODY: number;
/** The text of an answer; null where it is longer than `longest`, which is then not read to its end. */
export declare function readText(response: Response, longest?: number): Promise<string | null>;
