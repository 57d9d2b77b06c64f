import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { inspect } from "node:util";

import * as gateway from "../dist/index.js";

const { GatewayClient } = gateway;
const DOCUMENT = JSON.parse(readFileSync(new URL("../../../docs/openapi.json", import.meta.url), "utf8"));
const KEY = "pgw_live_secret";

const json = (value, status = 200, headers = {}) =>
  new Response(status === 304 ? null : JSON.stringify(value), { status, headers });
const problem = (status, error, headers = {}) =>
  json({ type: "about:blank", title: "T", status, detail: "why", error, request_id: "r-1" }, status, headers);

/** A client whose calls get `answers` in order; what was sent is in `sent`. */
function served(answers, options = {}) {
  const sent = [];
  const fetch = async (url, init) => {
    sent.push({ url: new URL(url), ...init });
    const answer = answers[Math.min(sent.length, answers.length) - 1];
    if (answer instanceof Error) throw answer;
    return typeof answer === "function" ? answer(init) : answer.clone();
  };
  const client = new GatewayClient({ baseUrl: "http://gateway.example/base/", apiKey: KEY, fetch, ...options });
  return { client, sent };
}

const raised = (call) => call.then(() => assert.fail("nothing was raised"), (error) => error);

test("each status has its error", async () => {
  const kinds = {
    400: "InvalidRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    405: "InvalidRequestError",
    409: "ConflictError",
    410: "NotFoundError",
    413: "InvalidRequestError",
    415: "InvalidRequestError",
    422: "InvalidRequestError",
    429: "RateLimitError",
    500: "ServerError",
    503: "ServerError",
  };
  for (const [status, kind] of Object.entries(kinds)) {
    const { client } = served([problem(Number(status), "CODE", { "Retry-After": "9" })], { retries: 0 });
    const error = await raised(client.prediction("AAPL"));
    assert.equal(error.name, kind);
    assert.ok(error instanceof gateway[kind] && error instanceof gateway.ApiError);
    assert.deepEqual([error.status, error.code, error.requestId, error.retryAfter], [Number(status), "CODE", "r-1", 9]);
    assert.equal(error.message, `${status} CODE: why [request r-1]`);
  }
  const { client } = served([problem(500, "EXPLANATION_FAILED")]);
  assert.equal((await raised(client.job("1"))).name, "JobFailedError");
});

test("an answer of something before the gateway is an error as well", async () => {
  const page = new Response("<h1>Bad gateway</h1>", { status: 502, headers: { "X-Request-ID": "p-1" } });
  const error = await raised(served([page], { retries: 0 }).client.prediction("AAPL"));
  assert.deepEqual([error.name, error.status, error.code, error.requestId], ["ServerError", 502, null, "p-1"]);
  const html = served([new Response("<h1>Hello</h1>")]).client.prediction("AAPL");
  await assert.rejects(html, { name: "GatewayError", message: /no JSON: is it a gateway/ });
});

test("a redirect is not followed: it would take the key along", async () => {
  const away = new Response(null, { status: 308, headers: { Location: "https://elsewhere.example/" } });
  const { client, sent } = served([away]);
  await assert.rejects(client.prediction("AAPL"), /redirects to https:\/\/elsewhere.example/);
  assert.deepEqual([sent.length, sent[0].redirect], [1, "manual"]);
});

test("a call is made again on no answer and on 503, and tells of each answer", async () => {
  const told = [];
  const { client, sent } = served([new TypeError("fetch failed"), problem(503, "X"), json({ symbol: "AAPL" })], {
    maxWaitMs: 20,
    onResponse: ({ status, attempt, retryInMs, path }) => told.push([status, attempt, retryInMs !== null, path]),
  });
  assert.equal((await client.prediction("AAPL")).symbol, "AAPL");
  assert.equal(sent.length, 3);
  assert.deepEqual(told, [
    [503, 1, true, "/api/prediction/AAPL"],
    [200, 2, false, "/api/prediction/AAPL"],
  ]);
});

test("no answer at all is told with the reason", async () => {
  const refused = new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") });
  const { client, sent } = served([refused], { maxWaitMs: 1 });
  const error = await raised(client.prediction("AAPL"));
  assert.equal(error.name, "ConnectionFailedError");
  assert.match(error.message, /GET http:\/\/gateway.example\/base\/api.* asked 4 times.*ECONNREFUSED/);
  assert.equal(sent.length, 4);
});

test("an answer that takes too long is no answer", async () => {
  const hang = ({ signal }) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
  const error = await raised(served([hang], { timeoutMs: 5, retries: 0 }).client.prediction("AAPL"));
  assert.equal(error.name, "ConnectionFailedError");
  assert.match(error.message, /nothing within 5 ms/);
  const aborted = served([hang]).client.prediction("AAPL", { signal: AbortSignal.timeout(5) });
  assert.equal((await raised(aborted)).name, "TimeoutError");
});

test("a signal ends the wait for a retry", async () => {
  const { client } = served([problem(503, "X", { "Retry-After": "50" })]);
  const error = await raised(client.prediction("AAPL", { signal: AbortSignal.timeout(5) }));
  assert.equal(error.name, "TimeoutError");
});

test("a Retry-After beyond the longest wait is raised at once", async () => {
  const { client, sent } = served([problem(429, "RATE_LIMIT_EXCEEDED", { "Retry-After": "61" })]);
  const error = await raised(client.prediction("AAPL"));
  assert.deepEqual([error.name, error.retryAfter, sent.length], ["RateLimitError", 61, 1]);
});

test("a 304 gives the kept value, older by the time since; each caller has one of its own", async () => {
  const first = json({ symbol: "AAPL", age_seconds: 5 }, 200, { ETag: 'W/"a"' });
  const { client, sent } = served([first, json(null, 304), json({})]);
  const one = await client.prediction("AAPL");
  one.symbol = "changed";
  const two = await client.prediction("AAPL");
  assert.equal(sent[1].headers["If-None-Match"], 'W/"a"');
  assert.equal(two.symbol, "AAPL");
  assert.ok(two.age_seconds > 5 && two.age_seconds < 15);
  await client.prediction("AAPL", { includeFeatures: true });
  assert.equal(sent[2].headers["If-None-Match"], undefined);
});

test("the age of a moment in the past stays", async () => {
  const first = json({ symbol: "AAPL", age_seconds: 5 }, 200, { ETag: 'W/"a"' });
  const { client } = served([first, json(null, 304)]);
  await client.prediction("AAPL", { asOf: "2026-01-05" });
  assert.equal((await client.prediction("AAPL", { asOf: "2026-01-05" })).age_seconds, 5);
});

test("pages are read when they are needed, up to the limit", async () => {
  const page = (data, next) => json({ data, has_more: next !== null, next });
  const rows = [1, 2, 3].map((seq) => ({ seq }));
  const { client, sent } = served([page(rows, "c1"), page(rows, null)]);
  const seen = [];
  for await (const { seq } of client.history("AAPL", { limit: 4, pageSize: 3, from: new Date(0) })) seen.push(seq);
  assert.deepEqual(seen, [1, 2, 3, 1]);
  assert.deepEqual(
    sent.map(({ url }) => url.search),
    ["?from=1970-01-01T00%3A00%3A00.000Z&limit=3", "?from=1970-01-01T00%3A00%3A00.000Z&limit=1&cursor=c1"],
  );
});

test("an order has an idempotency key of its own, the same for its retries", async () => {
  const { client, sent } = served([problem(503, "X"), json({ job_id: "j" }, 202)], { maxWaitMs: 1 });
  await client.orderExplanation("AAPL");
  await client.orderExplanation("AAPL", "deep", { idempotencyKey: "mine" });
  const keys = sent.map(({ headers }) => headers["Idempotency-Key"]);
  assert.match(keys[0], /^[0-9a-f]{32}$/);
  assert.equal(keys[1], keys[0]);
  assert.equal(keys[2], "mine");
});

test("explain asks until the job is done, tells progress, and gives up at its deadline", async () => {
  const accepted = json({ job_id: "j", status: "queued" }, 202);
  const running = json({ job_id: "j", status: "running", progress: 0.5, stage: "s" }, 202, { "Retry-After": "0" });
  const done = json({ job_id: "j", status: "done", summary: "up" }, 200);
  const seen = [];
  const onProgress = ({ progress }) => seen.push(progress);
  const quick = served([running, running, done]);
  assert.equal((await quick.client.explain("AAPL", "deep", { onProgress })).summary, "up");
  assert.deepEqual(seen, [0.5, 0.5]);
  assert.equal(quick.sent[0].headers.Prefer, "wait=1");
  const slow = served([accepted, running]).client.explain("AAPL", "fast", { deadlineMs: 20 });
  const error = await raised(slow);
  assert.deepEqual([error.name, error.jobId], ["JobTimeoutError", "j"]);
});

test("a fresh access token is asked for at each call", async () => {
  let asked = 0;
  const accessToken = async () => `token-${(asked += 1)}`;
  const { client, sent } = served([json({})], { apiKey: null, accessToken });
  await client.version();
  await client.version();
  assert.deepEqual(sent.map(({ headers }) => headers.Authorization), ["Bearer token-1", "Bearer token-2"]);
});

test("no secret is shown by the client, its errors or its URLs", async () => {
  const { client, sent } = served([problem(401, "INVALID_CREDENTIAL")]);
  const error = await raised(client.prediction("AAPL"));
  for (const shown of [inspect(client, { depth: 9 }), inspect(error), String(sent[0].url), JSON.stringify(client)]) {
    assert.ok(!shown.includes(KEY));
  }
  assert.equal(sent[0].headers["X-API-Key"], KEY);
  const bad = "pgw_live_s\necret";
  assert.throws(() => new GatewayClient({ apiKey: bad }), (told) => !told.message.includes("ecret"));
  assert.throws(() => new GatewayClient({ baseUrl: "http://me:hidden@gateway.example" }), (told) => {
    return told.name === "GatewayError" && !told.message.includes("hidden");
  });
});

test("options that cannot be meant are refused", () => {
  for (const wrong of [{ baseUrl: "ftp://x" }, { baseUrl: "x y" }, { retries: -1 }, { timeoutMs: NaN }, { apiKey: "" }]) {
    assert.throws(() => new GatewayClient(wrong), { name: "GatewayError" });
  }
  assert.throws(() => new GatewayClient({ apiKey: KEY, accessToken: "t" }), /not both/);
});

test("each method offers every parameter of its route", async () => {
  const all = { includeFeatures: true, includeOutcome: true, asOf: "2026-01-05", from: "2026-01-05", to: "2026-01-06" };
  const page = json({ data: ["A"], has_more: true, next: "n" });
  const last = json({ data: ["B"], has_more: false, next: null });
  const drain = async (rows) => {
    for await (const row of rows) assert.ok(row);
  };
  const calls = {
    "/api/prediction/{symbol}": (client) => client.prediction("A", all),
    "/api/predictions": (client) => client.predictions(["A", "B"], all),
    "/api/prediction/{symbol}/history": (client) => drain(client.history("A", all)),
    "/api/prediction/{symbol}/accuracy": (client) => client.accuracy("A", { window: "30d" }),
    "/api/symbols": (client) => drain(client.symbols()),
    "/api/explanation/{symbol}": (client) => client.explanation("A", "deep"),
    "/auth/profile": (client) => client.profile({ days: 3 }),
  };
  for (const [route, call] of Object.entries(calls)) {
    const { client, sent } = served([page, last]);
    await call(client);
    const offered = new Set(sent.flatMap(({ url }) => [...url.searchParams.keys()]));
    const named = DOCUMENT.paths[route].get.parameters.filter((one) => one.in === "query").map((one) => one.name);
    assert.deepEqual([...offered].sort(), named.sort(), route);
  }
});
