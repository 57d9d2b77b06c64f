// A gateway in Fastify and ioredis, as their makers advise: node server.js PORT REDIS_URL
//
// Redis is asked for the key's record, and then at once for its count of calls and the prediction. With
// auto-pipelining all commands of a turn of the event loop, whoever asks, go out in one write.
"use strict";

const { hash, randomUUID } = require("node:crypto");
const { Redis } = require("ioredis");
const Fastify = require("fastify");

const [port, redisUrl] = process.argv.slice(2);
const WINDOW_S = 3600;
const STALE_AFTER_S = Number(process.env.STALE_AFTER_S ?? 300);

const redis = new Redis(redisUrl, { enableAutoPipelining: true });
const app = Fastify({ logger: false, requestIdHeader: "x-request-id", genReqId: () => randomUUID() });

app.decorateRequest("caller", null);

app.addHook("onRequest", async (request, reply) => {
  reply.header("X-Request-ID", request.id);
  const digest = hash("sha256", request.headers["x-api-key"] ?? "");
  const record = await redis.hgetall(`bench:key:${digest}`);
  if (record.account === undefined) {
    return reply.code(401).send({ detail: "This API key is not valid." });
  }
  request.caller = { digest, account: record.account, quota: Number(record.quota) };
});

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

app.get("/api/prediction/:symbol", { schema }, async (request, reply) => {
  const { symbol } = request.params;
  const { digest, quota } = request.caller;
  const seconds = Math.floor(Date.now() / 1000);
  const window = Math.floor(seconds / WINDOW_S);
  const counter = `bench:count:${digest}:${window}`;
  const [count, value] = await Promise.all([redis.incr(counter), redis.get(`pred:${symbol}`)]);
  if (count === 1) redis.expire(counter, WINDOW_S).catch(() => {}); // the next window has another counter
  reply.headers({
    "X-RateLimit-Limit": quota,
    "X-RateLimit-Remaining": Math.max(0, quota - count),
    "X-RateLimit-Reset": (window + 1) * WINDOW_S,
  });
  if (count > quota) {
    reply.code(429).header("Retry-After", WINDOW_S - (seconds % WINDOW_S));
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
});

app.listen({ host: "127.0.0.1", port: Number(port), backlog: 2048 });
