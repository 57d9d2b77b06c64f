// A stream that outlives restarts of the gateway, and of this program: node reconnects.mjs [count]
// Node 20: node --experimental-websocket reconnects.mjs
import { readFile, writeFile } from "node:fs/promises";

import { GatewayClient, StreamClosedError } from "prediction-gateway-client";

const FILE = process.env.POSITIONS ?? "positions.json";
const since = JSON.parse(await readFile(FILE, "utf8").catch(() => "{}"));
const stream = new GatewayClient().stream(["AAPL", "MSFT"], { since });
let left = Number(process.argv[2] ?? Infinity);

process.once("SIGINT", () => stream.close());
try {
  for await (const message of stream) {
    if (message.type === "connected") console.log(message.resumed ? "back again" : "connected");
    else if (message.type === "disconnected") console.log(`away: ${message.reason}; back in ${message.retry_in_ms} ms`);
    else if (message.type === "gap") console.log(`${message.symbol}: nothing known of ${message.from} to ${message.to}`);
    else if (message.type === "prediction_update") {
      console.log(`${message.symbol} ${message.seq}: ${message.predicted_price}`);
      left -= 1;
      if (left <= 0) break;
    }
  }
} catch (error) {
  if (!(error instanceof StreamClosedError)) throw error;
  console.log(`it is useless to come back: ${error.code}, ${error.detail}`);
} finally {
  await writeFile(FILE, JSON.stringify(stream.positions)); // the next start goes on from here
}
