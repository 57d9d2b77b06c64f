// A gateway in Fastify and ioredis, tuned as far as it goes: node script.js PORT REDIS_URL
//
// Redis is asked once: a script looks the key up, counts the call and returns the prediction. With
// auto-pipelining all calls of a turn of the event loop, whoever asks, go out in one write.
"use strict";

const { hash, randomUUID } = require("node:crypto");
const { Redis } = require("ioredis");
const Fastify = require("fastify");

const [port, redisUrl] = process.argv.slice(2);
const WINDOW_S = 3600;
const STALE_AFTER_S = Number(process.env.STALE_AFTER_S ?? 300);

// KEYS: the key's record, its counter, the prediction. ARGV: the seconds of a window. Returns the quota, the
// count and the prediction; nothing where nobody has the key, so that strangers leave no counters.
const admit = {
  numberOfKeys: 3,
  lua: `
local quota = redis.call('HGET', KEYS[1], 'quota')
if not quota then return nil end
local count = redis.call('INCR', KEYS[2])
if count == 1 then redis.call('EXPIRE', KEYS[2], ARGV[1]) end
return {quota, count, redis.call('GET', KEYS[3])}
`,
};

const redis = new Redis(redisUrl, { enableAutoPipelining: true, scripts: { admit } });
const app = Fastify({ logger: false, requestIdHeader: "x-request-id", genReqId: () => randomUUID() });

app.addHook("onRequest", (request, reply, done) => {
  reply.header("X-Request-ID", request.id);
  done();
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
  const digest = hash("sha256", request.headers["x-api-key"] ?? "");
  const seconds = Math.floor(Date.now() / 1000);
  const window = Math.floor(seconds / WINDOW_S);
  const counter = `bench:count:${digest}:${window}`;
  const found = await redis.admit(`bench:key:${digest}`, counter, `pred:${symbol}`, WINDOW_S);
  if (found === null) {
    reply.code(401);
    return { detail: "This API key is not valid." };
  }
  const [quotaText, count, value] = found;
  const quota = Number(quotaText);
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
