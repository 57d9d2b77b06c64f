// What both gateways in Fastify have in common: the application, its answers, how it is served.
"use strict";

const { hash, randomUUID } = require("node:crypto");
const Fastify = require("fastify");

const [port, redisUrl] = process.argv.slice(2);
const WINDOW_S = 3600;
const STALE_AFTER_S = Number(process.env.STALE_AFTER_S ?? 300);

const app = Fastify({ logger: false, requestIdHeader: "x-request-id", genReqId: () => randomUUID() });

// What is not listed is left out; the serializer is compiled from it once.
const prediction = {
  type: "object",
  properties: {
    symbol: { type: "string" },
    predicted_price: { type: "number" },
    current_price: { type: "number" },
    confidence: { type: "number" },
    horizon: { type: "string" },
    model_version: { type: "string" },
    timestamp: { type: "string" },
    as_of: { type: "string" },
    seq: { type: ["integer", "null"] },
    age_seconds: { type: "number" },
    stale: { type: "boolean" },
  },
};

const schema = {
  params: { type: "object", properties: { symbol: { type: "string", pattern: "^[A-Z]{1,5}$" } } },
  response: { 200: prediction },
};

// `handler` is the only route.
const serve = (handler) => {
  app.get("/api/prediction/:symbol", { schema }, handler);
  app.listen({ host: "127.0.0.1", port: Number(port), backlog: 2048 });
};

const digestOf = (request) => hash("sha256", request.headers["x-api-key"] ?? "");
const nobody = { detail: "This API key is not valid." };

// The hour in which a call is counted.
const windowNow = () => {
  const seconds = Math.floor(Date.now() / 1000);
  return { number: Math.floor(seconds / WINDOW_S), passed: seconds % WINDOW_S };
};
const counterOf = (digest, window) => `bench:count:${digest}:${window.number}`;

// The answer to a call that was counted; `value` is the prediction in JSON, or null.
const answer = (request, reply, { window, quota, count, value }) => {
  const { symbol } = request.params;
  reply.headers({
    "X-RateLimit-Limit": quota,
    "X-RateLimit-Remaining": Math.max(0, quota - count),
    "X-RateLimit-Reset": (window.number + 1) * WINDOW_S,
  });
  if (count > quota) {
    reply.code(429).header("Retry-After", WINDOW_S - window.passed);
    return { detail: "Too many calls." };
  }
  if (value === null) {
    reply.code(404);
    return { detail: `There is no prediction for ${symbol}.` };
  }
  const stored = JSON.parse(value);
  const tag = `W/"${symbol}-${stored.timestamp}-${stored.seq}"`;
  reply.headers({
    ETag: tag,
    "Cache-Control": "private, max-age=60",
    Vary: "Authorization, X-API-Key",
  });
  if (request.headers["if-none-match"] === tag) return reply.code(304).send();
  const age = Math.max(0, Date.now() - Date.parse(stored.timestamp)) / 1000;
  stored.as_of ??= stored.timestamp;
  stored.age_seconds = age;
  stored.stale = age > STALE_AFTER_S;
  return stored;
};

module.exports = { WINDOW_S, answer, app, counterOf, digestOf, nobody, redisUrl, serve, windowNow };
