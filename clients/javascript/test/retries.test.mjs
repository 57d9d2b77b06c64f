import assert from "node:assert/strict";
import { test } from "node:test";

import { boundedS, parseRetryAfter, retryDelayMs } from "../dist/retries.js";

const POLICY = { retries: 3, maxWaitMs: 60_000 };
const delay = (changes, chance = 0.5, policy = POLICY) =>
  retryDelayMs(policy, { attempt: 0, status: 503, retryAfter: null, ...changes }, chance);

test("what may pass is called again, and nothing else", () => {
  for (const status of [null, 429, 502, 503, 504]) {
    assert.notEqual(delay({ status }), null, String(status));
  }
  for (const status of [400, 401, 403, 404, 409, 410, 422, 500, 501]) {
    assert.equal(delay({ status }), null, String(status));
  }
});

test("after the last retry there is none", () => {
  assert.notEqual(delay({ attempt: 2 }), null);
  assert.equal(delay({ attempt: 3 }), null);
  assert.equal(delay({}, 0.5, { retries: 0, maxWaitMs: 60_000 }), null);
});

test("the wait is drawn from zero to a ceiling that doubles, and is bounded", () => {
  assert.equal(delay({}, 0), 0);
  assert.deepEqual([0, 1, 2].map((attempt) => delay({ attempt })), [250, 500, 1000]);
  assert.equal(delay({ attempt: 20 }, 0.5, { retries: 30, maxWaitMs: 60_000 }), 15_000);
  assert.equal(delay({ attempt: 20 }, 0.5, { retries: 30, maxWaitMs: 2000 }), 1000);
});

test("Retry-After is the least that is waited; one beyond the longest wait is not waited for", () => {
  assert.equal(delay({ status: 429, retryAfter: 7 }, 0), 7000);
  assert.equal(delay({ status: 429, retryAfter: 7 }, 1), 7250);
  assert.equal(delay({ status: 429, retryAfter: 60 }, 0), 60_000);
  assert.equal(delay({ status: 429, retryAfter: 61 }, 0), null);
});

test("Retry-After is read as seconds or as a date", () => {
  const now = Date.parse("2026-01-05T10:00:00Z");
  assert.equal(parseRetryAfter("12", now), 12);
  assert.equal(parseRetryAfter("Mon, 05 Jan 2026 10:00:30 GMT", now), 30);
  assert.equal(parseRetryAfter("Mon, 05 Jan 2026 09:00:00 GMT", now), 0);
  assert.equal(parseRetryAfter("-3", now), 0);
  assert.equal(parseRetryAfter("soon", now), null);
  assert.equal(parseRetryAfter("", now), null);
  assert.equal(parseRetryAfter(null, now), null);
});

test("a length that cannot be waited is bounded", () => {
  const told = [undefined, null, 3.5, -5, NaN, Infinity];
  assert.deepEqual(told.map(boundedS), [null, null, 3.5, 0, null, null]);
});
