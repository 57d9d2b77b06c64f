/** What waits for the consumer of a stream. */
/** A queue of one consumer. It takes whatever is pushed; `isFull` tells the producer to stop. */
export class Backlog {
    #capacity;
    #items = [];
    #taken = 0;
    #end;
    #wakeConsumer;
    #wakeProducer;
    constructor(capacity) {
        this.#capacity = capacity;
    }
    get size() {
        return this.#items.length - this.#taken;
    }
    get isFull() {
        return this.size >= this.#capacity;
    }
    push(item) {
        if (this.#end === undefined) {
            this.#items.push(item);
            this.#wakeConsumer?.();
        }
    }
    /** Nothing comes any more: what waits is still given, then `error` is thrown, or (undefined) the end told. */
    end(error) {
        this.#end ??= { error };
        this.#wakeConsumer?.();
        this.#wakeProducer?.();
    }
    /** Forget what waits. */
    clear() {
        this.#items = [];
        this.#taken = 0;
    }
    /** The next item; undefined at the end. */
    async next() {
        while (this.size === 0) {
            if (this.#end !== undefined) {
                const { error } = this.#end;
                this.#end = { error: undefined };
                if (error !== undefined) {
                    throw error;
                }
                return undefined;
            }
            await new Promise((resolve) => (this.#wakeConsumer = resolve));
        }
        return this.#take();
    }
    /** Resolves when no more than half of the capacity waits, or at the end. */
    async drained() {
        while (this.#end === undefined && this.size > this.#capacity / 2) {
            await new Promise((resolve) => (this.#wakeProducer = resolve));
        }
    }
    #take() {
        const item = this.#items[this.#taken];
        this.#taken += 1;
        // Moved up seldom, so that taking costs the same however much waits.
        if (this.#taken >= 1024 || this.#taken === this.#items.length) {
            this.#items = this.#items.slice(this.#taken);
            this.#taken = 0;
        }
        if (this.size <= this.#capacity / 2) {
            this.#wakeProducer?.();
        }
        return item;
    }
}
