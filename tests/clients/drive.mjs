// Drives the JavaScript client through one scenario: `drive.mjs scenario '{"base_url": …}'` prints a JSON line for
// each thing that the client gave, and nothing of its own.
import { GatewayClient } from "../../clients/javascript/dist/index.js";

const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const statuses = [];
const [, , scenario, text] = process.argv;
const given = JSON.parse(text);
const client = new GatewayClient({
  baseUrl: given.base_url,
  apiKey: given.api_key,
  // What reads pay for is counted: none of theirs may be a 304.
  ...(scenario === "read" ? { cacheSize: 0 } : {}),
  ...(given.max_wait_s === undefined ? {} : { maxWaitMs: given.max_wait_s * 1000 }),
  onResponse: ({ status }) => statuses.push(status),
});

async function success() {
  const { symbol, predicted_price, seq } = await client.prediction(given.symbol);
  print({ symbol, predicted_price, seq });
}

async function notModified() {
  const first = await client.prediction(given.symbol);
  const second = await client.prediction(given.symbol);
  print({ prices: [first.predicted_price, second.predicted_price], statuses });
}

async function read() {
  const prices = [];
  const started = performance.now();
  for (let n = 0; n < given.reads; n += 1) {
    prices.push((await client.prediction(given.symbol)).predicted_price);
  }
  print({ prices, waited_s: (performance.now() - started) / 1000, statuses });
}

async function order() {
  const ids = [];
  const options = given.idempotency_key ? { idempotencyKey: given.idempotency_key } : {};
  for (let n = 0; n < given.times; n += 1) {
    ids.push((await client.orderExplanation(given.symbol, given.depth, options)).job_id);
  }
  print({ job_ids: ids });
}

async function explain() {
  const { summary, depth } = await client.explain(given.symbol, given.depth);
  print({ summary, depth });
}

async function job() {
  print({ status: (await client.job(given.job_id)).status });
}

const SHOWN = {
  connected: () => ({ kind: "connected" }),
  disconnected: ({ code }) => ({ kind: "disconnected", code }),
  gap: ({ symbol, from, to }) => ({ kind: "gap", symbol, from, to }),
  prediction_update: ({ symbol, seq, predicted_price, snapshot = false }) => ({
    kind: "update",
    symbol,
    seq,
    predicted_price,
    snapshot,
  }),
};

async function stream() {
  let left = given.count;
  for await (const message of client.stream(given.symbols, { mode: given.mode, snapshot: given.snapshot })) {
    const line = SHOWN[message.type]?.(message);
    if (line) print(line);
    if (line?.kind === "update" && !line.snapshot) left -= 1;
    if (left === 0) break;
  }
}

const SCENARIOS = { success, not_modified: notModified, read, order, explain, job, stream };
try {
  await SCENARIOS[scenario]();
} catch (error) {
  const { name, status, closeCode, code, requestId, retryAfter } = error;
  print({
    error: {
      type: name,
      status: status ?? closeCode ?? null,
      code: code ?? null,
      request_id: requestId ?? null,
      retry_after: retryAfter ?? null,
    },
  });
}
