import assert from "node:assert/strict";
import { test } from "node:test";

import { Places } from "../dist/places.js";

const update = (symbol, seq, changes = {}) => ({ type: "prediction_update", symbol, seq, epoch: "e1", ...changes });
const snapshot = { snapshot: true };

test("at first every symbol is asked for with its newest value, on the terms of the stream", () => {
  const places = new Places({ mode: "batch", intervalMs: 50, minConfidence: 0.5, minMovePct: 1, timing: true }, {});
  assert.deepEqual(places.requests(["AAPL", "MSFT"]), [
    {
      action: "subscribe",
      symbols: ["AAPL", "MSFT"],
      snapshot: true,
      mode: "batch",
      interval_ms: 50,
      min_confidence: 0.5,
      min_move_pct: 1,
      timing: true,
    },
  ]);
});

test("later each symbol goes on from its place, one request for each epoch, and one for those without", () => {
  const places = new Places({}, {});
  places.take(update("AAPL", 124));
  places.take(update("MSFT", 117));
  places.take(update("IBM", 3, { epoch: "e2" }));
  assert.deepEqual(places.requests(["AAPL", "MSFT", "IBM", "NEW"]), [
    {
      action: "subscribe",
      symbols: ["AAPL", "MSFT"],
      since: { epoch: "e1", seq: 117, seqs: { AAPL: 124, MSFT: 117 } },
    },
    { action: "subscribe", symbols: ["IBM"], since: { epoch: "e2", seq: 3, seqs: { IBM: 3 } } },
    { action: "subscribe", symbols: ["NEW"], snapshot: true },
  ]);
});

test("what was had is no news; another epoch is", () => {
  const places = new Places({}, {});
  assert.equal(places.take(update("AAPL", 5)).length, 1);
  assert.deepEqual(places.take(update("AAPL", 5)), []);
  assert.deepEqual(places.take(update("AAPL", 4)), []);
  assert.equal(places.take(update("AAPL", 6)).length, 1);
  assert.equal(places.take(update("AAPL", 1, { epoch: "e2" })).length, 1);
});

test("newest values that nobody wants to see are places all the same", () => {
  const places = new Places({ snapshot: false }, {});
  assert.deepEqual(places.take(update("AAPL", 5, snapshot)), []);
  assert.equal(places.requests(["AAPL"])[0].since.seq, 5);
});

test("a newest value of a symbol that was followed without a place comes behind a gap", () => {
  const places = new Places({ snapshot: false }, {});
  places.follow(["AAPL"]);
  places.leave();
  assert.deepEqual(places.take(update("AAPL", 9, snapshot)), [
    { type: "gap", symbol: "AAPL", from: 0, to: 9, epoch: "e1" },
    update("AAPL", 9, snapshot),
  ]);
});

test("a connection that ended before it followed anything changes nothing", () => {
  const places = new Places({}, {});
  places.leave();
  assert.deepEqual(places.take(update("AAPL", 9, snapshot)), [update("AAPL", 9, snapshot)]);
});

test("the newest value behind a told gap is given, even if newest values are not wanted", () => {
  const places = new Places({ snapshot: false }, { AAPL: { epoch: "e1", seq: 5 } });
  assert.equal(places.take(update("AAPL", 2000, snapshot)).length, 1);
});

test("places of an earlier stream are gone on from", () => {
  const places = new Places({}, { AAPL: { epoch: "e1", seq: 5 } });
  assert.equal(places.requests(["AAPL"])[0].since.epoch, "e1");
  assert.deepEqual(places.take(update("AAPL", 5)), []);
});
