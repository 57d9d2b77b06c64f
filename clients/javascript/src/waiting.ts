/** Waiting that a signal ends. */

import { GatewayError } from "./errors.js";

/** Resolves after `ms`; rejects with the signal's reason when it is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", abort, { once: true });
  });
}

/** What `promise` gives, if it does within `ms`; rejects with GatewayError otherwise, or with the signal's reason. */
export async function within<Value>(promise: Promise<Value>, ms: number, signal?: AbortSignal): Promise<Value> {
  const over = new AbortController();
  const stop = (): void => over.abort(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });
  const late = sleep(ms, over.signal).then(() => {
    throw new GatewayError(`nothing within ${ms} ms`);
  });
  try {
    signal?.throwIfAborted();
    return await Promise.race([promise, late]);
  } finally {
    signal?.removeEventListener("abort", stop);
    late.catch(() => undefined);
    over.abort();
  }
}
