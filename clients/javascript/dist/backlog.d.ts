/** What waits for the consumer of a stream. */
/** A queue of one consumer. It takes whatever is pushed; `isFull` tells the producer to stop. */
export declare class Backlog<Item> {
    #private;
    constructor(capacity: number);
    get size(): number;
    get isFull(): boolean;
    push(item: Item): void;
    /** Nothing comes any more: what waits is still given, then `error` is thrown, or (undefined) the end told. */
    end(error?: unknown): void;
    /** Forget what waits. */
    clear(): void;
    /** The next item; undefined at the end. */
    next(): Promise<Item | undefined>;
    /** Resolves when no more than half of the capacity waits, or at the end. */
    drained(): Promise<void>;
}
