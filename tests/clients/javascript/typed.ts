import { ApiError, GatewayClient, type Prediction, type StreamMessage } from "prediction-gateway-client";

export async function use(client: GatewayClient): Promise<number> {
  const prediction: Prediction = await client.prediction("AAPL", { includeFeatures: true });
  for await (const past of client.history("AAPL", { limit: 5 })) {
    if ((past.outcome?.error ?? 0) > 0) return past.predicted_price;
  }
  const job = await client.job("1");
  if (job.status === "done") return job.contributions.length;
  // @ts-expect-error: there is no such depth
  await client.explain("AAPL", "shallow");
  return prediction.predicted_price + job.progress;
}

export function price(message: StreamMessage): number | undefined {
  switch (message.type) {
    case "prediction_update":
      return message.predicted_price;
    case "gap":
      return message.to - message.from;
    case "disconnected":
      return message.retry_in_ms;
    default:
      return undefined;
  }
}

export const told = (error: unknown): string | null => (error instanceof ApiError ? error.requestId : null);
