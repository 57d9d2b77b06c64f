/** What waits for the consumer of a stream. */

/** A queue of one consumer. It takes whatever is pushed; `isFull` tells the producer to stop. */
export class Backlog<Item> {
  readonly #capacity: number;
  #items: Item[] = [];
  #taken = 0;
  #end: { error: unknown } | undefined;
  #wakeConsumer: (() => void) | undefined;
  #wakeProducer: (() => void) | undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#items.length - this.#taken;
  }

  get isFull(): boolean {
    return this.size >= this.#capacity;
  }

  push(item: Item): void {
    if (this.#end === undefined) {
      this.#items.push(item);
      this.#wakeConsumer?.();
    }
  }

  /** Nothing comes any more: what waits is still given, then `error` is thrown, or (undefined) the end told. */
  end(error?: unknown): void {
    this.#end ??= { error };
    this.#wakeConsumer?.();
    this.#wakeProducer?.();
  }

  /** Forget what waits. */
  clear(): void {
    this.#items = [];
    this.#taken = 0;
  }

  /** The next item; undefined at the end. */
  async next(): Promise<Item | undefined> {
    while (this.size === 0) {
      if (this.#end !== undefined) {
        const { error } = this.#end;
        this.#end = { error: undefined };
        if (error !== undefined) {
          throw error;
        }
        return undefined;
      }
      await new Promise<void>((resolve) => (this.#wakeConsumer = resolve));
    }
    return this.#take();
  }

  /** Resolves when no more than half of the capacity waits, or at the end. */
  async drained(): Promise<void> {
    while (this.#end === undefined && this.size > this.#capacity / 2) {
      await new Promise<void>((resolve) => (this.#wakeProducer = resolve));
    }
  }

  #take(): Item {
    const item = this.#items[this.#taken] as Item;
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
