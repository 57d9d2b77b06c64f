import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { readText } from "../dist/bodies.js";
import { GatewayClient } from "../dist/index.js";

/** A client whose calls all get `body` with `status`. */
function told(body, status = 200, options = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const fetch = async () => new Response(text, { status, headers: { "X-Request-ID": "p-1" } });
  return new GatewayClient({ baseUrl: "http://gateway.example", apiKey: null, fetch, retries: 0, ...options });
}

const raised = (call) => call.then(() => assert.fail("nothing was raised"), (error) => error);

test("a 200 that is something else is an error that says so", async () => {
  const calls = [
    (client) => client.prediction("AAPL"),
    (client) => client.history("AAPL").next(),
    (client) => client.symbols().next(),
    (client) => client.explain("AAPL"),
    (client) => client.socketTicket(),
  ];
  for (const call of calls) {
    for (const body of [null, [], 5, "null", '"text"']) {
      const error = await raised(call(told(body)));
      assert.deepEqual([error.name, error.status, error.requestId], ["ApiError", 200, "p-1"]);
      assert.match(error.message, /is not answered as the API says/);
    }
  }
  for (const call of calls.slice(1)) {
    for (const body of [{}, { data: 5, job_id: 5, ticket: 5 }, { data: [], next: {} }]) {
      assert.equal((await raised(call(told(body)))).name, "ApiError");
    }
  }
});

test("a problem of another shape is an error without a code", async () => {
  const entry = { pointer: "/depth", detail: "no", code: "invalid" };
  const bad = [{ errors: 5 }, { errors: [null] }, { errors: [{ ...entry, code: 1 }] }, { title: 1 }, { error: {} }];
  for (const body of [...bad, null, [], "[".repeat(100_000)]) {
    const error = await raised(told(body, 422).prediction("AAPL"));
    assert.deepEqual([error.name, error.code, error.errors, error.requestId], ["InvalidRequestError", null, [], "p-1"]);
  }
  const good = { error: "X", detail: "d", errors: [entry], retry_after: null, request_id: null };
  assert.deepEqual((await raised(told(good, 422).prediction("AAPL"))).errors, [entry]);
});

test("a wait of less than nothing is none", async () => {
  assert.equal((await raised(told({ error: "X", retry_after: -5 }, 503).prediction("AAPL"))).retryAfter, 0);
});

test("a text is read in pieces, and no further than it may be long", async () => {
  let given = 0;
  const endless = new ReadableStream({
    pull(controller) {
      given += 1;
      controller.enqueue(new Uint8Array(1000));
    },
  });
  assert.equal(await readText(new Response(endless), 5000), null);
  assert.ok(given < 10);
  const split = new ReadableStream({
    start(controller) {
      for (const byte of new TextEncoder().encode("é→")) controller.enqueue(new Uint8Array([byte]));
      controller.close();
    },
  });
  assert.equal(await readText(new Response(split), 5), "é→");
  assert.equal(await readText(new Response(null)), "");
  assert.equal(await readText({ body: {}, text: async () => "its own" }), "its own");
});

test("an answer without end is not read to its end", async (t) => {
  const server = createServer((_, response) => {
    const piece = Buffer.alloc(1_000_000, " ");
    const pour = () => {
      while (!response.destroyed && response.write(piece));
    };
    response.on("drain", pour);
    pour();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const client = new GatewayClient({ baseUrl: `http://127.0.0.1:${server.address().port}`, apiKey: null });
  const error = await raised(client.version());
  assert.deepEqual([error.name, error.status], ["ApiError", 200]);
  assert.match(error.message, /longer than 32 MiB/);
});
