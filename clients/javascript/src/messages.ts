// Written by scripts/types.mjs from docs/asyncapi.json.
export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * Auth
         * @description A credential: the first frame of a client that sent none, or one that renews what will expire.
         *
         *     `api_key`, or `token` for an access token or a ticket.
         */
        Auth: {
            /** @enum {unknown} */
            action: "auth";
            /** @default null */
            api_key?: string | null;
            /** @default null */
            id?: string | null;
            /** @default null */
            token?: string | null;
        };
        /**
         * Authenticated
         * @description Answer to an `auth` that renews: the connection lives until `expires_at`; null: without an end.
         */
        Authenticated: {
            expires_at: string | null;
            /** @default null */
            id?: string | null;
            /** @enum {unknown} */
            type: "authenticated";
        };
        /**
         * Batch
         * @description Several updates, those of a symbol in the order of their `seq`; each is what it would be alone.
         */
        Batch: {
            /** @enum {unknown} */
            type: "batch";
            updates: components["schemas"]["PredictionUpdate"][];
        };
        /**
         * Code
         * @description Codes of error frames.
         * @enum {unknown}
         */
        Code: "ALREADY_AUTHENTICATED" | "AUTH_TIMEOUT" | "CREDENTIAL_CHANGED" | "CREDENTIAL_ENDED" | "DISCONNECTED" | "IDLE" | "INVALID_CREDENTIAL" | "INVALID_JSON" | "INVALID_MESSAGE" | "MESSAGE_TOO_BIG" | "ORIGIN_REFUSED" | "SCOPE_MISSING" | "SERVER_FULL" | "SLOW_READER" | "SNAPSHOT_UNAVAILABLE" | "STORE_UNAVAILABLE" | "TOO_FAST" | "TOO_MANY_ATTEMPTS" | "TOO_MANY_CONNECTIONS" | "TOO_MANY_WATCHES" | "UNAUTHENTICATED" | "UNKNOWN_JOB";
        /**
         * Error
         * @description Something was wrong; `code` is stable, `detail` is for people.
         */
        Error: {
            code: components["schemas"]["Code"];
            detail: string;
            /** @default null */
            id?: string | null;
            /** @enum {unknown} */
            type: "error";
        };
        /**
         * ExplanationCompleted
         * @description An explanation.
         */
        ExplanationCompleted: {
            depth: string;
            explanation: Record<string, never>;
            /** Format: date-time */
            generated_at: string;
            /** @default null */
            id?: string | null;
            /** @default null */
            job_id?: string | null;
            prediction: Record<string, never>;
            symbol: string;
            /** @enum {unknown} */
            type: "explanation_completed";
        };
        /**
         * ExplanationFailed
         * @description There will be no explanation for this job.
         */
        ExplanationFailed: {
            depth: string;
            /** @default null */
            id?: string | null;
            /** @default null */
            job_id?: string | null;
            reason: string;
            symbol: string;
            /** @enum {unknown} */
            type: "explanation_failed";
        };
        /**
         * ExplanationProgress
         * @description How far an explanation is; `job_id` where the connection watches its own job.
         *
         *     `id` in the first answer to `watch`, whichever of the three that is.
         */
        ExplanationProgress: {
            depth: string;
            /** @default null */
            id?: string | null;
            /** @default null */
            job_id?: string | null;
            progress: number;
            stage: string;
            status: string;
            symbol: string;
            /** @enum {unknown} */
            type: "explanation_progress";
        };
        /**
         * Gap
         * @description Updates of `symbol` with a `seq` between `from` and `to`, both excluded, were not sent.
         *
         *     `epoch` is that of `to`; where the stream was made anew, `from` belongs to an earlier one.
         */
        Gap: {
            epoch: string;
            from: number;
            symbol: string;
            to: number;
            /** @enum {unknown} */
            type: "gap";
        };
        /**
         * Limits
         * @description What this connection may do. `connections` is the account's, null where its tier sets no limit.
         */
        Limits: {
            /** @default 1000 */
            buffered_updates?: number;
            connections: number | null;
            /** @default 10 */
            frames_in_per_s?: number;
            frames_per_s: number;
            /** @default 300 */
            idle_s?: number;
            /** @default 65536 */
            message_bytes?: number;
            /** @default 1000 */
            resumed_updates?: number;
            /** @default 100 */
            symbols?: number;
            /** @default 100 */
            watches?: number;
        };
        /**
         * Ping
         * @description Asks for a pong.
         */
        Ping: {
            /** @enum {unknown} */
            action: "ping";
            /** @default null */
            id?: string | null;
        };
        /**
         * Pong
         * @description Answer to ping.
         */
        Pong: {
            /** @default null */
            id?: string | null;
            /** @enum {unknown} */
            type: "pong";
        };
        /**
         * PredictionUpdate
         * @description A prediction: live, or with `snapshot` the newest at the time of the subscription.
         *
         *     `seq` rises per symbol within one `epoch`. With `timing`: when the pipeline's message was stored
         *     (`published_at`), when the bridge passed it on (`bridged_at`), when this process wrote it (`sent_at`).
         */
        PredictionUpdate: {
            /** Format: date-time */
            as_of: string;
            /** @default null */
            bridged_at?: string | null;
            confidence: number;
            current_price: number;
            epoch: string;
            horizon: string;
            model_version: string;
            predicted_price: number;
            /** @default null */
            published_at?: string | null;
            /** @default null */
            sent_at?: string | null;
            seq: number;
            /** @default false */
            snapshot?: boolean;
            symbol: string;
            /** Format: date-time */
            timestamp: string;
            /** @enum {unknown} */
            type: "prediction_update";
        };
        /**
         * Rejected
         * @description Why a symbol was not subscribed.
         * @enum {unknown}
         */
        Rejected: "INVALID_SYMBOL" | "TOO_MANY_SYMBOLS";
        /**
         * Rejection
         * @description A symbol that was not subscribed, shortened to 32 characters, and why.
         */
        Rejection: {
            error: components["schemas"]["Rejected"];
            symbol: string;
        };
        /**
         * Since
         * @description What the client has seen: everything up to `seq`, or of the symbols in `seqs` up to those.
         *
         *     All as they stood in the last updates, of one `epoch`.
         */
        Since: {
            epoch: string;
            seq: number;
            /** @default {} */
            seqs?: {
                [key: string]: number;
            };
        };
        /**
         * Subscribe
         * @description Ask for updates of `symbols`; a second subscribe of a symbol replaces the first.
         *
         *     `mode`: every update (`all`), the newest of each symbol every `interval_ms` (`latest`), or every one,
         *     packed into one frame every `interval_ms` (`batch`). `since` asks for what was missed, and `snapshot`,
         *     without it, for the newest values. `min_confidence` and `min_move_pct` (how far the prediction is from
         *     the current price) leave out what is below. `timing` adds when an update was published, bridged and sent.
         *     `explanations` adds progress and results of explanations.
         */
        Subscribe: {
            /** @enum {unknown} */
            action: "subscribe";
            /** @default false */
            explanations?: boolean;
            /** @default null */
            id?: string | null;
            /** @default 250 */
            interval_ms?: number;
            /** @default 0 */
            min_confidence?: number;
            /** @default 0 */
            min_move_pct?: number;
            /**
             * @default all
             * @enum {unknown}
             */
            mode?: "all" | "batch" | "latest";
            /** @default null */
            since?: components["schemas"]["Since"] | null;
            /** @default true */
            snapshot?: boolean;
            symbols: string[];
            /** @default false */
            timing?: boolean;
        };
        /**
         * Subscribed
         * @description Answer to subscribe: what of it this connection is subscribed to now, and what not.
         */
        Subscribed: {
            /** @default null */
            id?: string | null;
            rejected: components["schemas"]["Rejection"][];
            symbols: string[];
            /** @enum {unknown} */
            type: "subscribed";
        };
        /**
         * Unsubscribe
         * @description No more updates of `symbols`.
         */
        Unsubscribe: {
            /** @enum {unknown} */
            action: "unsubscribe";
            /** @default null */
            id?: string | null;
            symbols: string[];
        };
        /**
         * Unsubscribed
         * @description Answer to unsubscribe: what will not be sent any more.
         */
        Unsubscribed: {
            /** @default null */
            id?: string | null;
            symbols: string[];
            /** @enum {unknown} */
            type: "unsubscribed";
        };
        /**
         * Warned
         * @description Codes of warnings: the connection stays.
         * @enum {unknown}
         */
        Warned: "CREDENTIAL_EXPIRES" | "UPDATES_DROPPED";
        /**
         * Warning
         * @description Something to know. `dropped`: updates that were left out because they came faster than they went.
         *
         *     `expires_at`: when the credential ends, unless an `auth` renews it before.
         */
        Warning: {
            code: components["schemas"]["Warned"];
            /** @default null */
            dropped?: number | null;
            /** @default null */
            expires_at?: string | null;
            /** @enum {unknown} */
            type: "warning";
        };
        /**
         * Watch
         * @description Ask to be told what becomes of an explanation job.
         */
        Watch: {
            /** @enum {unknown} */
            action: "watch";
            /** @default null */
            id?: string | null;
            /** Format: uuid */
            job_id: string;
        };
        /**
         * Welcome
         * @description The first message of an accepted connection; with the id of the auth frame, if there was one.
         */
        Welcome: {
            connection_id: string;
            heartbeat_s: number;
            /** @default null */
            id?: string | null;
            limits: components["schemas"]["Limits"];
            protocol: number;
            /** @enum {unknown} */
            type: "welcome";
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
