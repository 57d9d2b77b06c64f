export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * AccountAnswer
         * @description The account that is charged for the caller's calls.
         */
        AccountAnswer: {
            name: string;
            /** Format: date-time */
            created_at: string;
        };
        /**
         * AccuracyAnswer
         * @description The track record of a symbol. `from` and `to` bound the market time; from null is the beginning.
         */
        AccuracyAnswer: {
            symbol: string;
            from: string | null;
            /** Format: date-time */
            to: string;
            total: components["schemas"]["Measures"];
            models: components["schemas"]["ModelAccuracy"][];
        };
        /**
         * Alive
         * @description The process answers.
         */
        Alive: {
            /** @constant */
            status: "alive";
        };
        /**
         * CallerAnswer
         * @description Who calls: a person with a role, or a key.
         */
        CallerAnswer: {
            /** @enum {string} */
            kind: "key" | "user";
            /** @default null */
            user?: string | null;
            /** @default null */
            role?: ("viewer" | "operator" | "admin") | null;
            /** @default null */
            key?: string | null;
            /** @default null */
            expires_at?: string | null;
        };
        /** @description What is to change. */
        ChangeBody: {
            name?: string;
            scopes?: ("admin" | "explanations:read" | "explanations:write" | "keys:write" | "metrics:read" | "predictions:read" | "stream")[];
            networks?: string[];
            /** Format: date-time */
            expires_at?: string | null;
        };
        /**
         * Contribution
         * @description What one input adds to the predicted move.
         *
         *     `value` is in log return: all contributions sum to ``ln(predicted_price / current_price)``. `input` is the
         *     input's value in its own unit, None for a constant; `text` says it in words.
         */
        Contribution: {
            name: string;
            /** Format: double */
            value: number;
            text: string;
            /** @default null */
            input?: number | null;
        };
        /**
         * Dependency
         * @description Something that the gateway relies on. `critical`: without it this process has nothing to give.
         */
        Dependency: {
            /** @enum {string} */
            status: "up" | "down";
            critical: boolean;
            latency_ms: number | null;
            version: string | null;
            last_success: string | null;
            detail: string;
        };
        /** @description No field: what is meant must not stand where nobody looks for it. */
        EmptyBody: Record<string, never>;
        /**
         * ExplanationDocument
         * @description A finished explanation with the prediction that it explains. `job_id` is the first job that got it.
         */
        ExplanationDocument: {
            symbol: string;
            /** @enum {string} */
            depth: "deep" | "fast" | "medium";
            /** Format: date-time */
            generated_at: string;
            summary: string;
            contributions: components["schemas"]["Contribution"][];
            sources: components["schemas"]["Source"][];
            statements: components["schemas"]["Statement"][];
            similar_days: components["schemas"]["SimilarDay"][];
            what_if: components["schemas"]["WhatIf"][];
            record: components["schemas"]["Record"] | null;
            prediction: components["schemas"]["PinnedPrediction"];
            /** Format: uuid */
            job_id: string;
        };
        /**
         * HealthReport
         * @description How the process stands, and each of its dependencies.
         */
        HealthReport: {
            /** @enum {string} */
            status: "healthy" | "degraded" | "unhealthy";
            name: string;
            version: string;
            commit: string;
            /** @enum {string} */
            role: "all" | "web" | "ws";
            /** Format: double */
            uptime_s: number;
            dependencies: {
                [key: string]: components["schemas"]["Dependency"];
            };
        };
        /**
         * JobAccepted
         * @description The answer to an order. `estimated_seconds` from now; 0 for a job that has ended.
         */
        JobAccepted: {
            /** Format: uuid */
            job_id: string;
            /** @enum {string} */
            status: "queued" | "running" | "done" | "failed" | "cancelled";
            /** @enum {string} */
            depth: "fast" | "medium" | "deep";
            /** Format: double */
            estimated_seconds: number;
            status_url: string;
        };
        /**
         * JobDone
         * @description A job that is done, with its explanation.
         */
        JobDone: {
            symbol: string;
            /** @enum {string} */
            depth: "deep" | "fast" | "medium";
            /** Format: date-time */
            generated_at: string;
            summary: string;
            contributions: components["schemas"]["Contribution"][];
            sources: components["schemas"]["Source"][];
            statements: components["schemas"]["Statement"][];
            similar_days: components["schemas"]["SimilarDay"][];
            what_if: components["schemas"]["WhatIf"][];
            record: components["schemas"]["Record"] | null;
            prediction: components["schemas"]["PinnedPrediction"];
            /** Format: uuid */
            job_id: string;
            /** @enum {string} */
            status: "done";
        };
        /**
         * JobPending
         * @description A job that has not ended: `progress` from 0 to 1, `stage` in the explainer's own words.
         */
        JobPending: {
            /** Format: uuid */
            job_id: string;
            /** @enum {string} */
            status: "queued" | "running";
            /** Format: double */
            progress: number;
            stage: string;
            /** @enum {string} */
            depth: "fast" | "medium" | "deep";
            /** Format: double */
            estimated_seconds: number;
        };
        /**
         * KeyAnswer
         * @description A key. `id` is its public id, which is no secret; `expires_at` null: it does not end by itself.
         */
        KeyAnswer: {
            id: string;
            name: string;
            /** @enum {string} */
            state: "active" | "expiring" | "expired" | "revoked";
            /** @enum {string} */
            environment: "live" | "test";
            tier: string;
            scopes: ("admin" | "explanations:read" | "explanations:write" | "keys:write" | "metrics:read" | "predictions:read" | "stream")[];
            networks: string[];
            /** Format: date-time */
            created_at: string;
            created_by: string | null;
            expires_at: string | null;
            revoked_at: string | null;
            last_used_at: string | null;
            last_used_address: string | null;
            last_used_agent: string | null;
            rotated_from: string | null;
            rotated_to: string | null;
        };
        /**
         * KeyPageAnswer
         * @description A page of keys; `next` goes into `cursor` to get the page after it.
         */
        KeyPageAnswer: {
            data: components["schemas"]["KeyAnswer"][];
            has_more: boolean;
            next: string | null;
        };
        /**
         * LimitAnswer
         * @description A limit. `route` null: every route; `burst` null: a fixed window; `remaining` null: not known here.
         */
        LimitAnswer: {
            name: string;
            /** @enum {string} */
            scope: "account" | "key" | "ip" | "route" | "global";
            route: string | null;
            /** Format: int32 */
            quota: number;
            /** Format: int32 */
            window_s: number;
            burst: number | null;
            remaining: number | null;
            reset_s: number | null;
        };
        /** @description User name and password. */
        LoginBody: {
            username: string;
            password: string;
        };
        /** @description The refresh token of the login to end, unless an access token says which; and whether to end all. */
        LogoutBody: {
            refresh_token?: string;
            /** @default false */
            everywhere?: boolean;
        };
        /**
         * Measures
         * @description What the API says of a set of predictions; null is what cannot be known, mostly for want of outcomes.
         *
         *     `count` is how many outcomes are known, `first` and `last` their oldest and newest market time. A ratio
         *     `*_vs_naive` below 1 is better than naive. `hit_rate` is the share of predictions whose direction came
         *     true: where the price did not move, or no move was predicted, there is no hit. `coverage` is the share of
         *     predictions whose horizon has passed that have an outcome. `unreadable` counts predictions that can have
         *     none, for their horizon is no length of time. `interval_coverage` is the share of outcomes within the
         *     predicted interval, of the `interval_count` that had one, and should be `interval_level`.
         */
        Measures: {
            /** Format: int64 */
            count: number;
            first: string | null;
            last: string | null;
            mae: number | null;
            naive_mae: number | null;
            mae_vs_naive: number | null;
            mape: number | null;
            naive_mape: number | null;
            mape_vs_naive: number | null;
            hit_rate: number | null;
            coverage: number | null;
            /** Format: int64 */
            unreadable: number;
            /** Format: int64 */
            interval_count: number;
            interval_coverage: number | null;
            interval_level: number | null;
        };
        /**
         * ModelAccuracy
         * @description The measures of one model version.
         */
        ModelAccuracy: {
            /** Format: int64 */
            count: number;
            first: string | null;
            last: string | null;
            mae: number | null;
            naive_mae: number | null;
            mae_vs_naive: number | null;
            mape: number | null;
            naive_mape: number | null;
            mape_vs_naive: number | null;
            hit_rate: number | null;
            coverage: number | null;
            /** Format: int64 */
            unreadable: number;
            /** Format: int64 */
            interval_count: number;
            interval_coverage: number | null;
            interval_level: number | null;
            model_version: string;
        };
        /**
         * NewKeyAnswer
         * @description A key with its secret, shown this once.
         */
        NewKeyAnswer: {
            id: string;
            name: string;
            /** @enum {string} */
            state: "active" | "expiring" | "expired" | "revoked";
            /** @enum {string} */
            environment: "live" | "test";
            tier: string;
            scopes: ("admin" | "explanations:read" | "explanations:write" | "keys:write" | "metrics:read" | "predictions:read" | "stream")[];
            networks: string[];
            /** Format: date-time */
            created_at: string;
            created_by: string | null;
            expires_at: string | null;
            revoked_at: string | null;
            last_used_at: string | null;
            last_used_address: string | null;
            last_used_agent: string | null;
            rotated_from: string | null;
            rotated_to: string | null;
            key: string;
        };
        /** @description ``POST /api/explanation/{symbol}``. */
        OrderBody: {
            /** @enum {string} */
            depth: "fast" | "medium" | "deep";
        };
        /**
         * OutcomeAnswer
         * @description What came of a prediction: the actual price, its market time, and predicted minus actual price.
         */
        OutcomeAnswer: {
            /** Format: double */
            actual_price: number;
            /** Format: date-time */
            as_of: string;
            /** Format: double */
            error: number;
        };
        /**
         * PinnedPrediction
         * @description The prediction to explain, exactly as it was recorded. Times aware and in UTC.
         */
        PinnedPrediction: {
            symbol: string;
            /** Format: date-time */
            timestamp: string;
            /** Format: double */
            current_price: number;
            /** Format: double */
            predicted_price: number;
            /** Format: double */
            confidence: number;
            horizon: string;
            model_version: string;
            /** Format: date-time */
            as_of: string;
            /** Format: int64 */
            seq: number;
            epoch: string;
            /** @default null */
            features?: {
                [key: string]: number | boolean | string | null;
            } | null;
        };
        /**
         * PredictionAnswer
         * @description The contract's prediction. `features` and `outcome` are left out unless asked for.
         *
         *     `outcome` is null as long as it is not known.
         */
        PredictionAnswer: {
            symbol: string;
            /** Format: double */
            predicted_price: number;
            /** Format: double */
            current_price: number;
            /** Format: double */
            confidence: number;
            horizon: string;
            model_version: string;
            /** Format: date-time */
            timestamp: string;
            /** Format: date-time */
            as_of: string;
            seq: number | null;
            /** Format: double */
            age_seconds: number;
            stale: boolean;
            features?: {
                [key: string]: number | boolean | string | null;
            };
            outcome?: components["schemas"]["OutcomeAnswer"] | null;
        };
        /**
         * PredictionBatch
         * @description The newest predictions by symbol, and those symbols that have none.
         */
        PredictionBatch: {
            predictions: {
                [key: string]: components["schemas"]["PredictionAnswer"];
            };
            missing: string[];
        };
        /**
         * PredictionPage
         * @description A page of the history; `next` goes into `cursor` for the page after it.
         */
        PredictionPage: {
            data: components["schemas"]["PredictionAnswer"][];
            has_more: boolean;
            next: string | null;
        };
        /**
         * Problem
         * @description An error (RFC 9457). `error` is stable, `detail` is for people, `retry_after` in seconds.
         */
        Problem: {
            /** Format: uri-reference */
            type: string;
            title: string;
            /** Format: int32 */
            status: number;
            detail: string;
            instance: string;
            /** @enum {string} */
            error: "BAD_REQUEST" | "EXPLANATION_FAILED" | "FORBIDDEN" | "IDEMPOTENCY_KEY_REUSED" | "INTERNAL_ERROR" | "INVALID_BODY" | "INVALID_CREDENTIAL" | "INVALID_IDEMPOTENCY_KEY" | "INVALID_QUERY" | "INVALID_SYMBOL" | "INVALID_SYMBOLS" | "INVALID_TOKEN" | "JOB_CANCELLED" | "JOB_FINISHED" | "KEY_ALREADY_ROTATED" | "KEY_NOT_USABLE" | "LOGIN_FAILED" | "METHOD_NOT_ALLOWED" | "NOT_ACCEPTABLE" | "NOT_AUTHENTICATED" | "NOT_FOUND" | "NOT_READY" | "OVERLOADED" | "PARSE_ERROR" | "PAYLOAD_TOO_LARGE" | "RATE_LIMIT_EXCEEDED" | "REQUEST_TIMEOUT" | "SCOPE_MISSING" | "STORE_UNAVAILABLE" | "TOO_MANY_ATTEMPTS" | "TOO_MANY_JOBS" | "TOO_MANY_KEYS" | "UNKNOWN_EXPLANATION" | "UNKNOWN_JOB" | "UNKNOWN_KEY" | "UNKNOWN_SYMBOL" | "UNSUPPORTED_MEDIA_TYPE";
            request_id: string;
            /** Format: date-time */
            timestamp: string;
            /** Format: int32 */
            retry_after?: number;
            errors?: components["schemas"]["ProblemEntry"][];
            "violated-policies"?: string[];
        };
        /**
         * ProblemEntry
         * @description A parameter or a field of the body, by its pointer, and what is wrong with it.
         */
        ProblemEntry: {
            pointer: string;
            detail: string;
            code: string;
        };
        /**
         * ProfileAnswer
         * @description The caller, their limits, and the usage of their account in the last `days` days.
         */
        ProfileAnswer: {
            account: components["schemas"]["AccountAnswer"];
            caller: components["schemas"]["CallerAnswer"];
            tier: string;
            scopes: ("admin" | "explanations:read" | "explanations:write" | "keys:write" | "metrics:read" | "predictions:read" | "stream")[];
            limits: components["schemas"]["LimitAnswer"][];
            sockets: components["schemas"]["SocketsAnswer"];
            /** Format: int32 */
            days: number;
            usage: components["schemas"]["UsageAnswer"][];
        };
        /**
         * Ready
         * @description The process has all that its role needs.
         */
        Ready: {
            /** @constant */
            status: "ready";
        };
        /**
         * Record
         * @description How the model did on this symbol, walk-forward: mean absolute percentage errors, right directions.
         */
        Record: {
            /** Format: int64 */
            predictions: number;
            /** Format: double */
            mape: number;
            /** Format: double */
            naive_mape: number;
            /** Format: double */
            hit_rate: number;
            text: string;
        };
        /** @description The refresh token to exchange. */
        RefreshBody: {
            refresh_token: string;
        };
        /** @description What the new key is to be; everything has a default. */
        RegisterBody: {
            name?: string;
            scopes?: ("admin" | "explanations:read" | "explanations:write" | "keys:write" | "metrics:read" | "predictions:read" | "stream")[];
            networks?: string[];
            /** Format: date-time */
            expires_at?: string | null;
            /** @enum {string} */
            environment?: "live" | "test";
        };
        /** @description Which key, and how long the old one lives on. */
        RotateBody: {
            key?: string;
            /** @enum {string} */
            overlap?: "0" | "1h" | "24h" | "7d";
        };
        /**
         * RotatedKeyAnswer
         * @description The new key, and when the old one ends.
         */
        RotatedKeyAnswer: {
            id: string;
            name: string;
            /** @enum {string} */
            state: "active" | "expiring" | "expired" | "revoked";
            /** @enum {string} */
            environment: "live" | "test";
            tier: string;
            scopes: ("admin" | "explanations:read" | "explanations:write" | "keys:write" | "metrics:read" | "predictions:read" | "stream")[];
            networks: string[];
            /** Format: date-time */
            created_at: string;
            created_by: string | null;
            expires_at: string | null;
            revoked_at: string | null;
            last_used_at: string | null;
            last_used_address: string | null;
            last_used_agent: string | null;
            rotated_from: string | null;
            rotated_to: string | null;
            key: string;
            /** Format: date-time */
            old_key_ends_at: string;
        };
        /**
         * SimilarDay
         * @description A past day like this one: `distance` in standard deviations, `move` the log return that followed.
         */
        SimilarDay: {
            date: string;
            /** Format: double */
            distance: number;
            /** Format: double */
            move: number;
        };
        /**
         * SocketsAnswer
         * @description What WebSockets may; `most_connections` (of the account, open at once) null: no limit.
         */
        SocketsAnswer: {
            most_connections: number | null;
            /** Format: int32 */
            frames_per_s: number;
        };
        /**
         * Source
         * @description Where a statement comes from: a data set with symbol, dates, values, or a model with its training.
         */
        Source: {
            id: string;
            /** @enum {string} */
            kind: "data" | "evaluation" | "model" | "prediction";
            title: string;
            detail: string;
            /** @default null */
            url?: string | null;
        };
        /**
         * Statement
         * @description A sentence, with the ids of the sources that it rests on.
         */
        Statement: {
            text: string;
            sources: string[];
        };
        /**
         * SymbolPage
         * @description A page of symbols in their order; `next` goes into `after` for the page after it.
         */
        SymbolPage: {
            data: string[];
            has_more: boolean;
            next: string | null;
        };
        /**
         * TicketAnswer
         * @description A ticket that opens one WebSocket.
         */
        TicketAnswer: {
            ticket: string;
            /** Format: int32 */
            expires_in: number;
        };
        /**
         * TokenPairAnswer
         * @description An access token for the calls, and the refresh token that gets the next pair, once.
         */
        TokenPairAnswer: {
            access_token: string;
            /** @constant */
            token_type: "Bearer";
            /** Format: int32 */
            expires_in: number;
            refresh_token: string;
            /** Format: int32 */
            refresh_expires_in: number;
        };
        /**
         * UsageAnswer
         * @description Calls of a day (UTC) on a route.
         */
        UsageAnswer: {
            /** Format: date */
            day: string;
            route: string;
            /** Format: int64 */
            calls: number;
            /** Format: int64 */
            errors: number;
            /** Format: int64 */
            throttled: number;
            /** Format: double */
            latency_avg_ms: number;
            /** Format: double */
            latency_max_ms: number;
            /** Format: int64 */
            bytes_out: number;
        };
        /**
         * Version
         * @description Which build this is.
         */
        Version: {
            name: string;
            version: string;
            commit: string;
        };
        /**
         * WhatIf
         * @description What an input would have to be, all else equal, for the prediction to turn around.
         */
        WhatIf: {
            name: string;
            /** Format: double */
            input: number;
            /** Format: double */
            needed: number;
            text: string;
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
