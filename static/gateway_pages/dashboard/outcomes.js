// What came of predictions. The one module that knows where that is to be had: from the history itself, from the
// `outcome` that a row may carry, and from the track record of the symbol.

import { horizonMs } from "./format.js";

/**
 * What came of each point, in the order of `points` (oldest first): {price, index?} or null. `index` is that of the
 * point which shows the price; what the record tells of may lie outside of what is here.
 */
export function outcomesOf(points) {
  const found = points.map(() => null);
  for (const { start, end } of runsOf(points)) {
    for (let place = start; place < end; place++) {
      const point = points[place];
      // Of a horizon that is no length of time nothing better is known than "the next one".
      const due_ms = point.as_of_ms + (horizonMs(point.horizon) ?? 1);
      let later = place + 1;
      while (later < end && points[later].as_of_ms < due_ms) later++;
      const index = later < end ? later : undefined;
      const price = point.outcome?.actual_price ?? points[index]?.current;
      if (price !== undefined) found[place] = { price, index };
    }
  }
  return found;
}

/** The stretches in which market time runs forwards: it runs back where a replay begins again. */
export function runsOf(points) {
  const runs = [];
  for (const [place, point] of points.entries()) {
    const goes_on = place > 0 && point.as_of_ms >= points[place - 1].as_of_ms;
    if (goes_on) runs.at(-1).end = place + 1;
    else runs.push({ start: place, end: place + 1 });
  }
  return runs;
}

/** How good the predictions were whose outcome is known, beside "no change"; null without one. */
export function measure(points, outcomes) {
  let count = 0;
  let error = 0;
  let naive = 0;
  let hits = 0;
  for (const [place, point] of points.entries()) {
    const outcome = outcomes[place];
    if (!outcome) continue;
    count++;
    error += Math.abs(point.predicted - outcome.price) / outcome.price;
    naive += Math.abs(point.current - outcome.price) / outcome.price;
    if ((point.predicted - point.current) * (outcome.price - point.current) > 0) hits++;
  }
  return count ? { count, mape: error / count, naive_mape: naive / count, hit_rate: hits / count } : null;
}

/** The newest predictions of a symbol, newest first, with what came of them where the record says so. */
export async function readHistory(api, symbol, limit) {
  const query = `limit=${limit}&include_outcome=true`;
  return (await api.get(`/api/prediction/${encodeURIComponent(symbol)}/history?${query}`)).data;
}

export const TRACK_WINDOW = "90d";

/** The track record: {total, models}; null where this gateway keeps none. */
export async function readTrack(api, symbol) {
  if (document.body.dataset.hasAccuracy !== "true") return null;
  const path = `/api/prediction/${encodeURIComponent(symbol)}/accuracy?window=${TRACK_WINDOW}`;
  try {
    return await api.get(path);
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}
