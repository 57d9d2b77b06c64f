// What can go wrong with a call, and what each error tells: node errors.mjs [symbol]
import {
  ApiError,
  AuthenticationError,
  ConnectionFailedError,
  GatewayClient,
  NotFoundError,
  RateLimitError,
} from "prediction-gateway-client";

const client = new GatewayClient({
  onResponse: ({ path, status, retryInMs }) => {
    if (retryInMs !== null) console.error(`${path}: ${status}, again in ${Math.round(retryInMs)} ms`);
  },
});

try {
  const prediction = await client.prediction(process.argv[2] ?? "AAPL");
  console.log(`${prediction.symbol}: ${prediction.predicted_price}, ${prediction.age_seconds.toFixed(1)} s old`);
} catch (error) {
  if (error instanceof NotFoundError) console.log(`nothing is known: ${error.detail}`);
  else if (error instanceof AuthenticationError) console.log("set PGW_API_KEY to a key of this gateway");
  else if (error instanceof RateLimitError) console.log(`the quota is used up; try again in ${error.retryAfter} s`);
  else if (error instanceof ApiError) console.log(`refused: ${error.code}; report request ${error.requestId}`);
  else if (error instanceof ConnectionFailedError) console.log(`no gateway there: ${error.message}`);
  else throw error;
}
