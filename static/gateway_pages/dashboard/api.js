// Calls of the REST API with the page's key, and what they say when they fail.

const MOST_TRIES = 3;
const LONGEST_WAIT_S = 20;
const AT_ONCE = 4;

/** An answer that is no success; `status` is 0 where there was none. */
export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || "The gateway does not answer.");
    this.status = status;
    this.code = problem.error || "";
  }
}

const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1_000));

export class Api {
  #key;
  #running = 0;
  #waiting = [];

  constructor(key) {
    this.#key = key;
  }

  /** The JSON of a GET. Waits and asks again where the gateway says so (429, 503). */
  async get(path) {
    await this.#enter();
    try {
      for (let tries = 1; ; tries++) {
        const { response, body } = await this.#call("GET", path);
        if (response.ok) return body;
        const wait_s = Number(response.headers.get("Retry-After") ?? Number.NaN);
        const may = [429, 503].includes(response.status) && wait_s <= LONGEST_WAIT_S && tries < MOST_TRIES;
        if (!may) throw new ApiError(response.status, body);
        await sleep(wait_s);
      }
    } finally {
      this.#leave();
    }
  }

  /** A POST with a key of its own, so that asking twice orders once; status and body of the answer. */
  async post(path, content) {
    const headers = { "Content-Type": "application/json", "Idempotency-Key": newId() };
    const { response, body } = await this.#call("POST", path, { headers, body: JSON.stringify(content) });
    if (!response.ok) throw new ApiError(response.status, body);
    return { status: response.status, body };
  }

  async delete(path) {
    const { response, body } = await this.#call("DELETE", path);
    if (!response.ok) throw new ApiError(response.status, body);
  }

  async #call(method, path, more = {}) {
    const headers = { ...more.headers, "X-API-Key": this.#key, Accept: "application/json" };
    let response;
    try {
      // Answers may be kept for a minute; this page wants to know what holds now.
      response = await fetch(path, { ...more, method, headers, cache: "no-cache", credentials: "omit" });
    } catch {
      throw new ApiError(0, {});
    }
    const text = await response.text();
    try {
      return { response, body: text ? JSON.parse(text) : {} };
    } catch {
      throw new ApiError(response.status, {});
    }
  }

  async #enter() {
    if (this.#running >= AT_ONCE) await new Promise((resolve) => this.#waiting.push(resolve));
    else this.#running++;
  }

  #leave() {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#running--;
  }
}

// crypto.randomUUID is for https alone; random values are not.
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
