// Whether values fit published schemas, as Ajv has it. In: a folder of schemas, and a file of lines
// [schema, value] with the value as JSON text. Out: a JSON list of true and false.
import { readFileSync } from "node:fs";
import Ajv from "ajv/dist/2020.js";

const [folder, lines] = process.argv.slice(2);
const ajv = new Ajv.default({ strict: false, discriminator: false });
const validators = new Map();
for (const line of readFileSync(lines, "utf8").split("\n").filter(Boolean)) {
  const [name] = JSON.parse(line);
  if (!validators.has(name)) {
    const schema = JSON.parse(readFileSync(`${folder}/${name}.json`, "utf8"));
    validators.set(name, ajv.compile(schema));
  }
}
const verdicts = readFileSync(lines, "utf8")
  .split("\n")
  .filter(Boolean)
  .map((line) => JSON.parse(line))
  .map(([name, value]) => validators.get(name)(JSON.parse(value)));
console.log(JSON.stringify(verdicts));
