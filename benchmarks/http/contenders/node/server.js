// A gateway in Fastify and ioredis, as their makers advise: node server.js PORT REDIS_URL
//
// Redis is asked for the key's record, and then at once for its count of calls and the prediction. With
// auto-pipelining all commands of a turn of the event loop, whoever asks, go out in one write.
"use strict";

const { Redis } = require("ioredis");
const { WINDOW_S, answer, app, counterOf, digestOf, nobody, redisUrl, serve, windowNow } = require("./parts.js");

const redis = new Redis(redisUrl, { enableAutoPipelining: true });

app.decorateRequest("caller", null);

app.addHook("onRequest", async (request, reply) => {
  reply.header("X-Request-ID", request.id);
  const digest = digestOf(request);
  const record = await redis.hgetall(`bench:key:${digest}`);
  if (record.account === undefined) {
    return reply.code(401).send(nobody);
  }
  request.caller = { digest, account: record.account, quota: Number(record.quota) };
});

serve(async (request, reply) => {
  const { digest, quota } = request.caller;
  const window = windowNow();
  const counter = counterOf(digest, window);
  const [count, value] = await Promise.all([redis.incr(counter), redis.get(`pred:${request.params.symbol}`)]);
  if (count === 1) redis.expire(counter, WINDOW_S).catch(() => {}); // the next window has another counter
  return answer(request, reply, { window, quota, count, value });
});
