/** The shapes of answers and messages, as they are on the wire; written from the gateway's contracts. */
export {};
