// Why the model predicts what it does: node explain.mjs [symbol] [fast, medium or deep]
import { GatewayClient, JobFailedError } from "prediction-gateway-client";

const [, , symbol = "AAPL", depth = "deep"] = process.argv;
try {
  const { summary, contributions } = await new GatewayClient().explain(symbol, depth, {
    onProgress: ({ progress, stage }) => console.error(`${Math.round(progress * 100)} % ${stage}`),
  });
  console.log(summary);
  for (const { text } of contributions) console.log(`- ${text}`);
} catch (error) {
  if (!(error instanceof JobFailedError)) throw error;
  console.log(`the explainer gave up: ${error.detail}`);
}
