/** Client of the Prediction Gateway: calls over HTTP, and streams that come back. */
export { GatewayClient } from "./client.js";
export type { CallOptions, ExplainOptions, HistoryOptions, Moment, OrderOptions, ReadOptions, } from "./client.js";
export type { ClientOptions, ResponseInfo } from "./configuration.js";
export * from "./errors.js";
export type { SocketConstructor, SocketLike } from "./socket.js";
export { PredictionStream } from "./stream.js";
export type { StreamOptions, StreamState } from "./stream.js";
export type * from "./types.js";
