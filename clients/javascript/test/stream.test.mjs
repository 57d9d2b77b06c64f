import assert from "node:assert/strict";
import { test } from "node:test";

import { GatewayClient } from "../dist/index.js";

/** A socket that the test plays the gateway of. `sockets` has all of a test, in order. */
function wire() {
  const sockets = [];
  class Socket {
    sent = [];
    closed = null;
    constructor(url) {
      this.url = url;
      sockets.push(this);
      queueMicrotask(() => this.onopen?.({}));
    }
    send(text) {
      this.sent.push(JSON.parse(text));
    }
    close(code) {
      this.closed = code;
      queueMicrotask(() => this.end(code));
    }
    tell(...messages) {
      for (const message of messages) this.onmessage?.({ data: JSON.stringify(message) });
    }
    end(code, reason = "") {
      this.onclose?.({ code, reason });
    }
  }
  return { sockets, Socket };
}

function made(options = {}, settings = {}) {
  const { sockets, Socket } = wire();
  const client = new GatewayClient({ baseUrl: "https://g.example", apiKey: "k", webSocket: Socket, ...settings });
  return { stream: client.stream(["AAPL"], options), sockets };
}

const WELCOME = { type: "welcome", connection_id: "c1", limits: {}, heartbeat_s: 15 };
const SUBSCRIBED = { type: "subscribed", symbols: ["AAPL"], rejected: [] };
const update = (seq) => ({ type: "prediction_update", symbol: "AAPL", seq, epoch: "e1", predicted_price: seq });
const microtasks = () => new Promise((resolve) => setImmediate(resolve));

/** The stream's first connection, welcomed, and the promise of the message after `connected`. */
async function welcomed(stream, sockets) {
  const first = stream.next();
  await microtasks();
  sockets.at(-1).tell(WELCOME);
  assert.equal((await first).value.type, "connected");
}

async function take(stream, count) {
  const taken = [];
  while (taken.length < count) taken.push((await stream.next()).value);
  return taken;
}

test("nothing is connected before it is asked for; then credential and requests go at once", async () => {
  const { stream, sockets } = made({ mode: "latest" });
  assert.deepEqual([sockets.length, stream.state], [0, "connecting"]);
  await welcomed(stream, sockets);
  assert.equal(sockets[0].url, "wss://g.example/ws/predictions");
  assert.deepEqual(sockets[0].sent, [
    { action: "auth", api_key: "k" },
    { action: "subscribe", symbols: ["AAPL"], snapshot: true, mode: "latest" },
  ]);
  assert.equal(stream.state, "connected");
  await stream.close();
  assert.deepEqual([sockets[0].closed, stream.state], [1000, "closed"]);
  assert.deepEqual(await stream.next(), { done: true, value: undefined });
});

test("batches are unpacked, unknown messages ignored, positions are those that were given", async () => {
  const { stream, sockets } = made();
  await welcomed(stream, sockets);
  sockets[0].tell(SUBSCRIBED, { type: "news_of_2030" }, { type: "batch", updates: [update(1), update(2)] });
  const taken = await take(stream, 2);
  assert.deepEqual(taken.map(({ type, seq }) => [type, seq]), [["subscribed", undefined], ["prediction_update", 1]]);
  assert.deepEqual(stream.positions, { AAPL: { epoch: "e1", seq: 1 } });
  await stream.close();
});

test("leaving the loop closes the connection", async () => {
  const { stream, sockets } = made();
  const loop = (async () => {
    for await (const message of stream) if (message.type === "connected") break;
  })();
  await microtasks();
  sockets[0].tell(WELCOME);
  await loop;
  assert.equal(sockets[0].closed, 1000);
});

test("after a drop it comes back where it was", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { stream, sockets } = made();
  await welcomed(stream, sockets);
  sockets[0].tell(SUBSCRIBED, update(7));
  await take(stream, 2);
  sockets[0].end(1012, "DISCONNECTED");
  const [gone] = await take(stream, 1);
  assert.deepEqual([gone.type, gone.code, gone.reason], ["disconnected", 1012, "DISCONNECTED"]);
  assert.ok(gone.retry_in_ms >= 500 && gone.retry_in_ms <= 1000);
  assert.equal(stream.state, "waiting");
  t.mock.timers.tick(gone.retry_in_ms + 1);
  await microtasks();
  assert.deepEqual(sockets[1].sent[1].since, { epoch: "e1", seq: 7, seqs: { AAPL: 7 } });
  sockets[1].tell(WELCOME, SUBSCRIBED, update(7), update(8));
  const taken = await take(stream, 3);
  assert.deepEqual([taken[0].resumed, taken[2].seq], [true, 8]);
  await stream.close();
});

test("a connection that is silent is asked for a sign of life, and left without one", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { stream, sockets } = made({ livenessMs: 30_000 });
  await welcomed(stream, sockets);
  t.mock.timers.tick(10_000); // the welcome was heard in the first third
  t.mock.timers.tick(10_000);
  assert.deepEqual(sockets[0].sent.at(-1), { action: "ping" });
  sockets[0].tell({ type: "pong" });
  t.mock.timers.tick(10_000);
  t.mock.timers.tick(10_000);
  assert.equal(stream.state, "connected");
  t.mock.timers.tick(10_000);
  await microtasks();
  const [gone] = await take(stream, 1);
  assert.deepEqual([gone.type, gone.code, gone.reason], ["disconnected", null, "nothing heard in time"]);
  await stream.close();
});

test("a useless close ends the stream with the gateway's reason, after what waits", async () => {
  const { stream, sockets } = made();
  await welcomed(stream, sockets);
  sockets[0].tell(update(1), { type: "error", code: "CREDENTIAL_ENDED", detail: "It was revoked." });
  sockets[0].end(4401, "CREDENTIAL_ENDED");
  await microtasks();
  assert.equal((await stream.next()).value.seq, 1);
  await assert.rejects(stream.next(), (error) => {
    assert.deepEqual([error.name, error.closeCode, error.code], ["StreamClosedError", 4401, "CREDENTIAL_ENDED"]);
    assert.match(error.message, /It was revoked.*connection c1/);
    return true;
  });
  assert.deepEqual(await stream.next(), { done: true, value: undefined });
  assert.equal(stream.state, "closed");
});

test("an error that does not close is a message", async () => {
  const { stream, sockets } = made();
  await welcomed(stream, sockets);
  sockets[0].tell({ type: "error", code: "SNAPSHOT_UNAVAILABLE", detail: "d" });
  assert.equal((await stream.next()).value.code, "SNAPSHOT_UNAVAILABLE");
  await stream.close();
});

test("a gateway that was never reached is given up after the retries", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { stream, sockets } = made({}, { retries: 1 });
  const first = stream.next();
  await microtasks();
  sockets[0].end(1006);
  assert.equal((await first).value.type, "disconnected");
  t.mock.timers.tick(1001);
  await microtasks();
  sockets[1].end(1006);
  await assert.rejects(stream.next(), { name: "ConnectionFailedError", message: /cannot be opened, tried 2 times/ });
});

test("no welcome in time counts as no answer", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { stream } = made({}, { retries: 0, timeoutMs: 500 });
  const first = stream.next();
  await microtasks();
  t.mock.timers.tick(500);
  await assert.rejects(first, /no welcome in time/);
});

test("fresh tokens renew in band, and come back after the end of the old one", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let asked = 0;
  const { stream, sockets } = made({ token: async () => `t${(asked += 1)}` });
  await welcomed(stream, sockets);
  assert.deepEqual(sockets[0].sent[0], { action: "auth", token: "t1" });
  sockets[0].tell({ type: "warning", code: "CREDENTIAL_EXPIRES", expires_at: "2026-01-05T10:10:00Z" });
  assert.equal((await stream.next()).value.code, "CREDENTIAL_EXPIRES");
  await microtasks();
  assert.deepEqual(sockets[0].sent.at(-1), { action: "auth", token: "t2" });
  sockets[0].end(4401, "CREDENTIAL_ENDED");
  assert.equal((await stream.next()).value.type, "disconnected");
  t.mock.timers.tick(1001);
  await microtasks();
  assert.deepEqual(sockets[1].sent[0], { action: "auth", token: "t3" });
  sockets[1].end(4401, "INVALID_CREDENTIAL"); // refused though fresh
  await assert.rejects(stream.next(), { name: "StreamClosedError" });
});

test("a token that never comes holds nothing up", async () => {
  const { stream, sockets } = made({ token: () => new Promise(() => undefined) }, { retries: 0, timeoutMs: 5 });
  await assert.rejects(stream.next(), /no credential: nothing within 5 ms/);
  assert.equal(sockets.length, 0);
  const left = made({ token: () => new Promise(() => undefined) });
  const next = left.stream.next();
  await left.stream.close();
  assert.equal((await next).done, true);
});

test("a slow consumer makes the client leave, and resume when it has caught up", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { stream, sockets } = made({ bufferSize: 4 });
  await welcomed(stream, sockets);
  sockets[0].tell(SUBSCRIBED, update(1), update(2), update(3), update(4));
  assert.equal(sockets[0].closed, 1000);
  await microtasks();
  t.mock.timers.tick(1001);
  await microtasks();
  assert.equal(sockets.length, 1); // nobody has read yet
  const taken = await take(stream, 5);
  assert.deepEqual(taken.map(({ seq, reason }) => seq ?? reason), [undefined, 1, 2, 3, "SLOW_CONSUMER"]);
  await microtasks();
  assert.deepEqual(sockets[1].sent[1].since.seqs, { AAPL: 3 });
  await stream.close();
});

test("a signal ends the stream with its reason", async () => {
  const controller = new AbortController();
  const { stream, sockets } = made({ signal: controller.signal });
  await welcomed(stream, sockets);
  const next = stream.next();
  controller.abort(new Error("enough"));
  await assert.rejects(next, /enough/);
  assert.equal(sockets[0].closed, 1000);
  const late = made({ signal: controller.signal });
  await assert.rejects(late.stream.next(), /enough/);
  assert.equal(late.sockets.length, 0);
});

test("no accepted symbol ends the stream as a call over HTTP would", async () => {
  const { stream, sockets } = made();
  await welcomed(stream, sockets);
  sockets[0].tell({ type: "subscribed", symbols: [], rejected: [{ symbol: "aapl", error: "INVALID_SYMBOL" }] });
  assert.equal((await stream.next()).value.rejected.length, 1);
  await assert.rejects(stream.next(), { name: "InvalidRequestError", code: "INVALID_SYMBOL", message: /aapl/ });
});

test("a runtime without WebSocket is told what to do", async () => {
  const given = globalThis.WebSocket;
  delete globalThis.WebSocket;
  try {
    const stream = new GatewayClient({ apiKey: "k" }).stream(["AAPL"]);
    await assert.rejects(stream.next(), /--experimental-websocket, or pass the option webSocket/);
  } finally {
    if (given) globalThis.WebSocket = given;
  }
});

test("a frame that is not of the protocol ends the stream with an error, after what waits", async () => {
  for (const data of ["null", '{"type":"batch"}', '{"type":"batch","updates":[null]}', "<html>"]) {
    const { stream, sockets } = made();
    await welcomed(stream, sockets);
    sockets[0].tell(update(1));
    sockets[0].onmessage({ data });
    assert.equal((await stream.next()).value.seq, 1);
    await assert.rejects(stream.next(), { name: "GatewayError", message: /not of the protocol/ });
    assert.deepEqual([sockets.length, sockets[0].closed, stream.state], [1, 1000, "closed"]);
    assert.deepEqual(await stream.next(), { done: true, value: undefined });
  }
});

test("a frame that is too long ends the stream", async () => {
  const { stream, sockets } = made();
  await welcomed(stream, sockets);
  sockets[0].onmessage({ data: `"${"x".repeat(4 * 1024 * 1024)}"` });
  await assert.rejects(stream.next(), { name: "StreamClosedError", closeCode: 1009, message: /more than 4 MiB/ });
});
