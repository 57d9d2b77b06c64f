// Numbers, times and lengths of time as people read them. One locale: digits must line up and tests must read them.

const PRICE = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const SMALL_PRICE = new Intl.NumberFormat("en-US", { minimumSignificantDigits: 4, maximumSignificantDigits: 4 });
const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const DAY_AND_TIME = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: "UTC",
});
export const MINUS = "−";
const DAY_MS = 86_400_000;
const UNITS_MS = { s: 1_000, m: 60_000, min: 60_000, h: 3_600_000, d: DAY_MS, w: 7 * DAY_MS };
const ISO = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/;

export const NONE = "–";

export function price(value) {
  if (!Number.isFinite(value)) return NONE;
  return (value !== 0 && Math.abs(value) < 1 ? SMALL_PRICE : PRICE).format(value);
}

export const whole = (value) => (Number.isFinite(value) ? WHOLE.format(value) : NONE);

/** A share as per cent without a sign: 0.52 is "52 %". */
export function percent(share, digits = 0) {
  return Number.isFinite(share) ? `${(share * 100).toFixed(digits)} %` : NONE;
}

/** A share as per cent with its sign: 0.0123 is "+1.23 %". */
export function signedPercent(share, digits = 2) {
  if (!Number.isFinite(share)) return NONE;
  const text = Math.abs(share * 100).toFixed(digits);
  return `${Number(text) === 0 ? "±" : share < 0 ? MINUS : "+"}${text} %`;
}

export function signedPrice(value) {
  return Number.isFinite(value) ? `${value < 0 ? MINUS : "+"}${price(Math.abs(value))}` : NONE;
}

/** How long ago, short: "7 s", "12 min", "3 h", "5 d". */
export function age(ms) {
  if (!Number.isFinite(ms)) return NONE;
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** A lag: "24 ms", "1.3 s", "2 min". */
export function lag(ms) {
  if (!Number.isFinite(ms)) return NONE;
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : age(ms);
}

/** A market time: the day alone where it is a midnight, as daily bars have it. */
export function marketTime(ms) {
  if (!Number.isFinite(ms)) return NONE;
  return ms % DAY_MS === 0 ? DAY.format(ms) : `${DAY_AND_TIME.format(ms)} UTC`;
}

/** A moment, to the second. */
export const moment = (ms) => (Number.isFinite(ms) ? `${DAY_AND_TIME.format(ms)} UTC` : NONE);

/** The length of a horizon such as "1d", "4h", "PT15M" in milliseconds; null where it cannot be read. */
export function horizonMs(text) {
  const short = /^(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)$/i.exec(text.trim());
  if (short) return Number(short[1]) * UNITS_MS[short[2].toLowerCase()];
  const iso = ISO.exec(text.trim());
  if (!iso) return null;
  const [weeks, days, hours, minutes, seconds] = iso.slice(1).map((part) => Number(part ?? 0));
  return (((weeks * 7 + days) * 24 + hours) * 3_600 + minutes * 60 + seconds) * 1_000 || null;
}

/** The name of a model's input as words: "momentum_21d" is "momentum 21d". */
export const words = (name) => name.replaceAll("_", " ");
