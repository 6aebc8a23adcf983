// Writes the client's types from the OpenAPI document on standard input.
import { writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";

import openapi, { astToString } from "openapi-typescript";

const [target] = process.argv.slice(2);
const document = JSON.parse(await text(process.stdin));
const made = astToString(await openapi(document, { defaultNonNullable: false }));
writeFileSync(target, `// Made by \`nox -s web -- --write\` from the server's own description. Not to be edited.\n\n${made}`);
