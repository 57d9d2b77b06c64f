/** The shapes of answers and messages, as they are on the wire; written from the gateway's contracts. */

import type { components as Messages } from "./messages.js";
import type { components as Answers } from "./schema.js";

type Answer = Answers["schemas"];
type Message = Messages["schemas"];

/** A prediction: prices in the symbol's currency, `confidence` 0 to 1, times RFC 3339 in UTC. */
export type Prediction = Answer["PredictionAnswer"];
export type PredictionBatch = Answer["PredictionBatch"];
export type Accuracy = Answer["AccuracyAnswer"];
export type JobAccepted = Answer["JobAccepted"];
export type JobPending = Answer["JobPending"];
export type JobDone = Answer["JobDone"];
export type Explanation = Answer["ExplanationDocument"];
export type Profile = Answer["ProfileAnswer"];
export type Version = Answer["Version"];
export type Depth = Answer["OrderBody"]["depth"];
export type Problem = Answer["Problem"];
export type ProblemEntry = Answer["ProblemEntry"];

export type PredictionUpdate = Message["PredictionUpdate"];
export type Gap = Message["Gap"];
export type Subscribed = Message["Subscribed"];
export type StreamWarning = Message["Warning"];
export type StreamError = Message["Error"];
export type ExplanationProgress = Message["ExplanationProgress"];
export type ExplanationCompleted = Message["ExplanationCompleted"];
export type ExplanationFailed = Message["ExplanationFailed"];

/** The stream has a connection; `resumed`: it goes on from the places that it had. */
export interface Connected {
  type: "connected";
  connection_id: string;
  resumed: boolean;
}

/** The stream has lost its connection, or could not make one, and comes back in `retry_in_ms`. */
export interface Disconnected {
  type: "disconnected";
  /** The close code; null where there was no close frame. */
  code: number | null;
  reason: string;
  retry_in_ms: number;
}

/** What iterating over a stream gives. */
export type StreamMessage =
  | Connected
  | Disconnected
  | PredictionUpdate
  | Gap
  | Subscribed
  | StreamWarning
  | StreamError
  | ExplanationProgress
  | ExplanationCompleted
  | ExplanationFailed;

/** Where a symbol stands: `epoch` and `seq` of its last update. */
export interface Position {
  epoch: string;
  seq: number;
}
export type Positions = Record<string, Position>;

/** On which terms symbols are subscribed to. */
export interface Terms {
  /** How often: `all` (default), `latest` or `batch`. */
  mode?: "all" | "latest" | "batch";
  /** Of the modes `latest` and `batch`: 10 to 60,000. */
  intervalMs?: number;
  /** Whether the newest value of each symbol comes first; true by default. */
  snapshot?: boolean;
  /** Updates with less confidence, 0 to 1, are left out. */
  minConfidence?: number;
  /** Updates that predict a smaller move, in per cent, are left out. */
  minMovePct?: number;
  /** Whether each update tells when it came by. */
  timing?: boolean;
  /** Whether progress and results of explanations come, too; needs the scope `explanations:read`. */
  explanations?: boolean;
}
