import assert from "node:assert/strict";
import { test } from "node:test";

import { messageOf } from "../dist/frames.js";

const update = { type: "prediction_update", symbol: "AAPL", epoch: "e", seq: 7 };

test("frames of the protocol are messages, as are those of types that are not known", () => {
  const good = [
    { type: "welcome", connection_id: "c" },
    { type: "subscribed", symbols: ["AAPL"], rejected: [{ symbol: "a", error: "INVALID_SYMBOL" }] },
    update,
    { type: "batch", updates: [update, update] },
    { type: "gap", symbol: "AAPL", epoch: "e", from: 1, to: 2 },
    { type: "error", code: "IDLE", detail: "d" },
    { type: "warning", code: "UPDATES_DROPPED", dropped: 3 },
    { type: "news_of_2030", symbols: null },
    { type: "constructor" },
  ];
  for (const message of good) assert.deepEqual(messageOf(JSON.stringify(message)), message);
});

test("what is not of the protocol is an error", () => {
  const bad = [
    null,
    5,
    "welcome",
    [],
    [update],
    {},
    { type: 5 },
    { type: "welcome" },
    { type: "batch" },
    { type: "batch", updates: 5 },
    { type: "batch", updates: [null] },
    { type: "batch", updates: [update, { ...update, seq: "8" }] },
    { type: "subscribed", symbols: null, rejected: null },
    { type: "subscribed", symbols: [1], rejected: [] },
    { type: "subscribed", symbols: [], rejected: [null] },
    { type: "subscribed", symbols: [], rejected: [{ symbol: "a" }] },
    { ...update, symbol: null },
    { ...update, epoch: 1 },
    { ...update, seq: 1.5 },
    { ...update, seq: 2 ** 53 },
    { type: "gap", symbol: "AAPL", epoch: "e", from: null, to: 2 },
    { type: "error", code: "X" },
    { type: "warning" },
  ].map((value) => JSON.stringify(value));
  for (const data of [...bad, "", "{", new ArrayBuffer(8), undefined, "[".repeat(100_000)]) {
    assert.throws(() => messageOf(data), { name: "GatewayError", message: /not of the protocol/ }, String(data));
  }
});
