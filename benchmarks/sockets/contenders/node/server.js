// ws with ioredis, fed by Redis pub/sub: node server.js PORT REDIS_URL
"use strict";

const { WebSocketServer } = require("ws");
const { Redis } = require("ioredis");

const [port, redisUrl] = process.argv.slice(2);
const HEARTBEAT_MS = 15_000;
const subscribers = new Map(); // symbol -> Set of sockets

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(port),
  backlog: 2048,
  path: "/ws/predictions",
  maxPayload: 64 * 1024,
  perMessageDeflate: false, // updates are small: it would cost memory and CPU
});

server.on("connection", (socket) => {
  socket.isAlive = true;
  socket.symbols = new Set();
  socket.on("pong", markAlive);
  socket.on("message", subscribe);
  socket.on("close", forget);
  socket.on("error", () => {}); // "close" follows
  socket.send('{"type":"welcome"}');
});

function markAlive() {
  this.isAlive = true;
}

function subscribe(data) {
  const { symbols } = JSON.parse(data);
  for (const symbol of symbols) {
    this.symbols.add(symbol);
    if (!subscribers.has(symbol)) subscribers.set(symbol, new Set());
    subscribers.get(symbol).add(this);
  }
  this.send(JSON.stringify({ type: "subscribed", symbols }));
}

function forget() {
  for (const symbol of this.symbols) subscribers.get(symbol).delete(this);
}

// The heartbeat of the library's documentation.
setInterval(() => {
  for (const socket of server.clients) {
    if (!socket.isAlive) socket.terminate();
    socket.isAlive = false;
    socket.ping();
  }
}, HEARTBEAT_MS);

// A Buffer goes out as it is, whereas a string would be encoded once for every socket.
const TEXT = { binary: false, compress: false };
const redis = new Redis(redisUrl);
redis.on("pmessageBuffer", (_pattern, channel, update) => {
  const symbol = channel.toString("latin1").slice("predictions.".length);
  for (const socket of subscribers.get(symbol) ?? []) socket.send(update, TEXT);
});
redis.psubscribe("predictions.*");
