import assert from "node:assert/strict";
import { test } from "node:test";

import { Backlog } from "../dist/backlog.js";

test("items come in order, before and after they are waited for", async () => {
  const backlog = new Backlog(10);
  backlog.push(1);
  assert.equal(await backlog.next(), 1);
  const waited = backlog.next();
  backlog.push(2);
  assert.equal(await waited, 2);
});

test("many items are given in order", async () => {
  const backlog = new Backlog(10);
  for (let n = 0; n < 5000; n += 1) backlog.push(n);
  assert.ok(backlog.isFull);
  for (let n = 0; n < 5000; n += 1) assert.equal(await backlog.next(), n);
  assert.equal(backlog.size, 0);
});

test("what waits is given before the error, which is thrown once", async () => {
  const backlog = new Backlog(10);
  backlog.push(1);
  backlog.end(new Error("over"));
  backlog.end(new Error("later"));
  backlog.push(2);
  assert.equal(await backlog.next(), 1);
  await assert.rejects(backlog.next(), /over/);
  assert.equal(await backlog.next(), undefined);
});

test("the end wakes who waits", async () => {
  const backlog = new Backlog(10);
  const waited = backlog.next();
  backlog.end();
  assert.equal(await waited, undefined);
});

test("a full backlog is drained when no more than half of it waits", async () => {
  const backlog = new Backlog(4);
  for (let n = 0; n < 5; n += 1) backlog.push(n);
  let isDrained = false;
  const drained = backlog.drained().then(() => (isDrained = true));
  await backlog.next();
  await backlog.next();
  assert.equal(isDrained, false);
  await backlog.next();
  await drained;
  assert.equal(backlog.size, 2);
});

test("what was cleared is not given", async () => {
  const backlog = new Backlog(4);
  backlog.push(1);
  backlog.clear();
  backlog.end();
  assert.equal(await backlog.next(), undefined);
});
