import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { CLOSING_ERRORS, comeBackMs } from "../dist/closes.js";

const after = (changes, chance = 1) =>
  comeBackMs({ code: 1012, wasWelcomed: true, hasFreshCredential: false, failures: 0, ...changes }, chance);
const DOCUMENT = readFileSync(new URL("../../../docs/WEBSOCKET.md", import.meta.url), "utf8");
const rows = (name) =>
  DOCUMENT.split(`<!-- ${name} -->`)[1]
    .split(`<!-- end of ${name} -->`)[0]
    .split("\n")
    .filter((line) => /^\| [`0-9]/.test(line))
    .map((line) => line.split("|").map((cell) => cell.trim()).slice(1, -1));

test("every close code of the document is treated as its table says", () => {
  const table = rows("close codes");
  assert.equal(table.length, 9);
  for (const [code, , told] of table) {
    const delayMs = after({ code: Number(code) });
    if (told.startsWith("no")) assert.equal(delayMs, null, code);
    else if (told.startsWith("at once")) assert.equal(delayMs, 0, code);
    else if (told.startsWith("after a minute")) assert.ok(delayMs >= 60_000, code);
    else assert.equal(delayMs, 1000, code);
  }
});

test("codes of the WebSocket protocol: 1007 and 1009 end it, the others come back", () => {
  assert.deepEqual([1007, 1009].map((code) => after({ code })), [null, null]);
  assert.deepEqual([1000, 1001, 1011, null].map((code) => after({ code })), [1000, 1000, 1000, 1000]);
});

test("an ended credential is no end where a fresh one is at hand, unless that was refused", () => {
  assert.equal(after({ code: 4401, hasFreshCredential: true }), 1000);
  assert.equal(after({ code: 4401, hasFreshCredential: true, wasWelcomed: false }), null);
  assert.equal(after({ code: 4401 }), null);
});

test("backoff doubles to 30 seconds, each with jitter; 4408 is at once only the first time", () => {
  assert.deepEqual([0, 1, 4, 5, 50].map((failures) => after({ failures })), [1000, 2000, 16_000, 30_000, 30_000]);
  assert.equal(after({ failures: 1 }, 0), 1000);
  assert.equal(after({ code: 4408, failures: 1 }), 2000);
});

test("errors that close a welcomed connection are those of the document", () => {
  const closing = rows("error codes").filter(([, , code]) => code !== "none").map(([code]) => code.replaceAll("`", ""));
  for (const code of CLOSING_ERRORS) assert.ok(closing.includes(code), code);
  const others = closing.filter((code) => !CLOSING_ERRORS.has(code)).sort();
  assert.deepEqual(others, [
    "AUTH_TIMEOUT", // before the welcome, as the next
    "INVALID_CREDENTIAL",
    "ORIGIN_REFUSED",
    "SCOPE_MISSING",
    "STORE_UNAVAILABLE",
    "TOO_MANY_ATTEMPTS",
    "UNAUTHENTICATED",
  ]);
});
