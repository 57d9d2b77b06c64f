/** Client of the Prediction Gateway: calls over HTTP, and streams that come back. */
export { GatewayClient } from "./client.js";
export * from "./errors.js";
export { PredictionStream } from "./stream.js";
