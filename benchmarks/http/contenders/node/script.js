// A gateway in Fastify and ioredis, tuned as far as it goes: node script.js PORT REDIS_URL
//
// Redis is asked once: a script looks the key up, counts the call and returns the prediction. With
// auto-pipelining all calls of a turn of the event loop, whoever asks, go out in one write.
"use strict";

const { Redis } = require("ioredis");
const { WINDOW_S, answer, app, counterOf, digestOf, nobody, redisUrl, serve, windowNow } = require("./parts.js");

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

app.addHook("onRequest", (request, reply, done) => {
  reply.header("X-Request-ID", request.id);
  done();
});

serve(async (request, reply) => {
  const digest = digestOf(request);
  const window = windowNow();
  const places = [`bench:key:${digest}`, counterOf(digest, window), `pred:${request.params.symbol}`];
  const found = await redis.admit(...places, WINDOW_S);
  if (found === null) {
    reply.code(401);
    return nobody;
  }
  const [quota, count, value] = found;
  return answer(request, reply, { window, quota: Number(quota), count, value });
});
