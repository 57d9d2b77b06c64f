// Writes src/schema.ts and src/messages.ts from the gateway's contracts: `node scripts/types.mjs [folder]`.
// openapi-typescript is one of the repository's tools, so that the package itself needs no generator.
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const here = new URL(".", import.meta.url);
const tools = createRequire(new URL("../../../tools/package.json", here));
const { default: openapiTS, astToString } = tools("openapi-typescript");

async function write(folder, file, source) {
  const document = JSON.parse(await readFile(new URL(`../../../docs/${source}`, here), "utf8"));
  const schemas = {
    openapi: "3.1.0",
    info: { title: source, version: "1" },
    paths: {},
    components: { schemas: document.components.schemas },
  };
  // A property with a default may be left out by the server: it stays optional.
  const types = astToString(await openapiTS(schemas, { defaultNonNullable: false }));
  await writeFile(new URL(file, folder), `// Written by scripts/types.mjs from docs/${source}.\n${types}`);
}

const folder = process.argv[2] ? pathToFileURL(`${process.argv[2]}/`) : new URL("../src/", here);
await write(folder, "schema.ts", "openapi.json");
await write(folder, "messages.ts", "asyncapi.json");
