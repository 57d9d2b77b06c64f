// Calls the gateway with the types that openapi-typescript made of its document; prints what came of it.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { argv: string[] };

const [, , baseUrl, key, known] = process.argv;
if (baseUrl === undefined || key === undefined || known === undefined) throw new Error("URL, key and symbol are needed");

const client = createClient<paths>({ baseUrl, headers: { "X-API-Key": key } });
const stranger = createClient<paths>({ baseUrl, headers: { "X-API-Key": "pgw_live_none" } });

const read = await client.GET("/api/prediction/{symbol}", {
  params: { path: { symbol: known }, query: { include_features: true } },
});
const price: number | undefined = read.data?.predicted_price;
const tag = read.response.headers.get("ETag") ?? "";

const again = await client.GET("/api/prediction/{symbol}", {
  params: { path: { symbol: known }, query: { include_features: true }, header: { "If-None-Match": tag } },
});

const many = await client.GET("/api/predictions", {
  params: { query: { symbols: [known, "ZZZZZ"] } },
  querySerializer: { array: { style: "form", explode: false } },
});
const missing: string[] | undefined = many.data?.missing;

const unknown = await client.GET("/api/prediction/{symbol}", { params: { path: { symbol: "ZZZZZ" } } });
const problem: components["schemas"]["Problem"] | undefined = unknown.error;

const ordered = await client.POST("/api/explanation/{symbol}", {
  params: { path: { symbol: known } },
  body: { depth: "fast" },
});
const refused = await client.POST("/api/explanation/{symbol}", {
  params: { path: { symbol: known } },
  // @ts-expect-error The compiler knows all depths.
  body: { depth: "bottomless" },
});
const denied = await stranger.GET("/auth/profile", {});
const profile = await client.GET("/auth/profile", { params: { query: { days: 1 } } });

// @ts-expect-error The compiler knows all paths.
await client.GET("/api/nothing", {});

console.log(
  JSON.stringify({
    read: { status: read.response.status, price },
    again: again.response.status,
    many: { status: many.response.status, missing },
    unknown: { status: unknown.response.status, error: problem?.error, type: problem?.type },
    ordered: { status: ordered.response.status, job: ordered.data !== undefined && "job_id" in ordered.data },
    refused: { status: refused.response.status, pointer: refused.error?.errors?.[0]?.pointer },
    denied: { status: denied.response.status, error: denied.error?.error },
    profile: { status: profile.response.status, kind: profile.data?.caller.kind },
  }),
);
