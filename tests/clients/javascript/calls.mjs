// Every call of the JavaScript client, on a running gateway: `calls.mjs symbol` prints what each gave.
import { GatewayClient } from "prediction-gateway-client";

const [, , symbol] = process.argv;
const heard = [];
const client = new GatewayClient({ onResponse: ({ status, requestId }) => heard.push([status, Boolean(requestId)]) });
const all = async (rows) => {
  const given = [];
  for await (const row of rows) given.push(row);
  return given;
};
const kind = (call) => call.then(() => null, ({ name, code }) => `${name} ${code}`);

const told = {};
told.prediction = (await client.prediction(symbol, { includeFeatures: true })).features;
told.missing = (await client.predictions([symbol, "ZZZZZ"])).missing;
told.pages = (await all(client.history(symbol, { pageSize: 2 }))).map(({ predicted_price }) => predicted_price);
told.limited = (await all(client.history(symbol, { pageSize: 2, limit: 3, includeOutcome: true }))).length;
told.later = (await all(client.history(symbol, { from: new Date(Date.now() + 1e6) }))).length;
told.before = await kind(client.prediction(symbol, { asOf: "2001-01-01" }));
told.known = (await all(client.symbols({ pageSize: 1 }))).includes(symbol);
told.counted = (await client.accuracy(symbol, { window: "all" })).total.count;
told.profile = (await client.profile({ days: 1 })).caller.kind;
told.version = (await client.version()).name;
told.malformed = await kind(client.prediction("aapl"));
told.unexplained = await kind(client.explanation(symbol, "deep"));
const progress = [];
const explained = await client.explain(symbol, "deep", { onProgress: (job) => progress.push(job.progress) });
told.explained = [explained.symbol, explained.depth, explained.summary.length > 0];
told.progress = progress.every((share) => share >= 0 && share <= 1);
told.again = (await client.explanation(symbol)).summary === explained.summary;
const job = await client.orderExplanation(symbol, "deep");
told.job = (await client.job(job.job_id)).status;
told.finished = await kind(client.cancelJob(job.job_id));
const ticket = await client.socketTicket();
const stream = new GatewayClient({ apiKey: null }).stream([symbol], { token: ticket });
for await (const message of stream) {
  if (message.type === "prediction_update") {
    told.streamed = [message.symbol, message.snapshot];
    break;
  }
}
told.positions = Object.keys(stream.positions);
told.statuses = [...new Set(heard.map(([status]) => status))].sort();
told.identified = heard.every(([, isIdentified]) => isIdentified);
console.log(JSON.stringify(told));
