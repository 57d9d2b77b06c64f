import assert from "node:assert/strict";
import { test } from "node:test";

import { KeptAnswers, moveAges } from "../dist/kept.js";

const kept = (text) => ({ etag: 'W/"1"', text, atMs: 0 });

test("the one that was used longest ago goes first", () => {
  const answers = new KeptAnswers(2);
  answers.put("a", kept("1"));
  answers.put("b", kept("2"));
  assert.equal(answers.get("a").text, "1");
  answers.put("c", kept("3"));
  assert.deepEqual(["a", "b", "c"].map((key) => answers.get(key)?.text), ["1", undefined, "3"]);
});

test("a newer answer takes the place of the older", () => {
  const answers = new KeptAnswers(2);
  answers.put("a", kept("1"));
  answers.put("a", kept("2"));
  assert.equal(answers.get("a").text, "2");
});

test("a long answer is not kept, and the one before it is no longer", () => {
  const answers = new KeptAnswers(2);
  answers.put("a", kept("1"));
  answers.put("a", kept("x".repeat(262_145)));
  assert.equal(answers.get("a"), undefined);
});

test("a size of zero keeps nothing", () => {
  const answers = new KeptAnswers(0);
  answers.put("a", kept("1"));
  assert.equal(answers.get("a"), undefined);
});

test("ages move on in a prediction, a batch and a page; what has none stays", () => {
  const one = { age_seconds: 2 };
  moveAges(one, 1.5);
  assert.equal(one.age_seconds, 3.5);
  const batch = { predictions: { AAPL: { age_seconds: 1 } }, missing: [] };
  moveAges(batch, 2);
  assert.equal(batch.predictions.AAPL.age_seconds, 3);
  const page = { data: [{ age_seconds: 1 }, "AAPL", null], has_more: false };
  moveAges(page, 2);
  assert.deepEqual(page.data, [{ age_seconds: 3 }, "AAPL", null]);
});

test("an answer of another shape is left as it is", () => {
  let deep = {};
  for (let depth = 0; depth < 100_000; depth += 1) deep = { data: [deep] };
  for (const value of [null, 5, "AAPL", { data: 5, predictions: null }, { data: null }, deep]) moveAges(value, 2);
});
