// What came of predictions. The one module that knows where that is to be had: from the history itself, from the
// `outcome` that a row may carry, and from the track record of the symbol.

import { horizonMs } from "./format.js";

const MOST_DISORDER_MS = 7 * 86_400_000;
const LEAST_OF_A_RUN = 10;

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

/** The stretches in which market time runs forwards: a replay that begins again goes back by years. */
export function runsOf(points) {
  const runs = [];
  for (const [place, point] of points.entries()) {
    const goes_on = place > 0 && point.as_of_ms >= points[place - 1].as_of_ms - MOST_DISORDER_MS;
    if (goes_on) runs.at(-1).end = place + 1;
    else runs.push({ start: place, end: place + 1 });
  }
  return runs;
}

/** The points of the newest stretch, once there is something to see of it; all of them before. */
export function currentRun(points) {
  const { start } = runsOf(points).at(-1) ?? { start: 0 };
  return points.length - start >= LEAST_OF_A_RUN ? points.slice(start) : points;
}

/**
 * How good the predictions were whose outcome is known, beside "no change"; null without one. `verdict` compares the
 * two: a difference below two standard errors is chance.
 */
export function measure(points, outcomes) {
  const settled = points.flatMap((point, place) => (outcomes[place] ? [{ point, price: outcomes[place].price }] : []));
  const count = settled.length;
  if (!count) return null;
  const misses = settled.map(({ point, price }) => Math.abs(point.predicted - price) / price);
  const naive = settled.map(({ point, price }) => Math.abs(point.current - price) / price);
  const hits = settled.filter(
    ({ point, price }) => (point.predicted - point.current) * (price - point.current) > 0,
  ).length;
  const differences = misses.map((miss, place) => miss - naive[place]);
  const difference = mean(differences);
  const variance = mean(differences.map((one) => (one - difference) ** 2));
  const is_chance = Math.abs(difference) <= 2 * Math.sqrt(variance / count);
  const verdict = is_chance ? "the same, within chance" : difference < 0 ? "better" : "worse";
  return { count, mape: mean(misses), naive_mape: mean(naive), hit_rate: hits / count, verdict };
}

const mean = (numbers) => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;

/** The newest predictions of a symbol, newest first, with what came of them where the record says so. */
export async function readHistory(api, symbol, limit) {
  const query = `limit=${limit}&include_outcome=true`;
  return (await api.get(`/api/prediction/${encodeURIComponent(symbol)}/history?${query}`)).data;
}

export const TRACK_WINDOW = "90d";

/** The track record: {total, models}; null of a symbol that was never predicted. */
export async function readTrack(api, symbol) {
  const path = `/api/prediction/${encodeURIComponent(symbol)}/accuracy?window=${TRACK_WINDOW}`;
  try {
    return await api.get(path);
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}
