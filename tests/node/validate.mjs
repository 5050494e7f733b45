// What AsyncAPI's own parser says of a document, as JSON: [severity, path, message], 0 is an error.
import { readFileSync } from "node:fs";
import asyncapi from "@asyncapi/parser";

const text = readFileSync(process.argv[2], "utf8");
const { document, diagnostics } = await new asyncapi.Parser().parse(text);
const told = diagnostics.map(({ severity, path, message }) => [severity, path.join("."), message]);
const messages = document === undefined ? [] : document.allMessages().all().map((each) => each.id());
console.log(JSON.stringify({ diagnostics: told, messages }));
