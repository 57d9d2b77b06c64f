/** The body of an answer, counted while it is read: no server can fill the memory. */

/** Bytes, unpacked: the longest page of a history has less than a tenth of it. */
export const LONGEST_BODY = 32 * 1024 * 1024;

/** The text of an answer; null where it is longer than `longest`, which is then not read to its end. */
export async function readText(response: Response, longest = LONGEST_BODY): Promise<string | null> {
  // Another fetch may give a body of its own kind, which only it can read.
  if (typeof response.body?.getReader !== "function") {
    return response.text();
  }
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let count = 0;
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    count += step.value.byteLength;
    if (count > longest) {
      // Nobody waits for a server that goes on.
      void reader.cancel().catch(() => undefined);
      return null;
    }
    text += decoder.decode(step.value, { stream: true });
  }
  return text + decoder.decode();
}
