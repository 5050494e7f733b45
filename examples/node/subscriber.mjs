// Read facts and print each once: `npm ci && node subscriber.mjs --topic ticket.created`.
//
// Facts arrive at least once; within a topic a ticket's facts come in their order when they come
// for the first time. A real subscriber keeps `seen` in its database, in the transaction in which
// it acts on the fact.
import { parseArgs } from "node:util";
import kafkajs from "kafkajs";

const { values: given } = parseArgs({
  options: {
    "bootstrap-servers": { type: "string", default: "127.0.0.1:9092" },
    group: { type: "string", default: "example-node-subscriber" },
    topic: { type: "string", multiple: true, default: ["ticket.created"] },
  },
});

const seen = new Map();

function isNews(topic, headers, ticket) {
  if (headers.ce_replayed?.toString() === "true") return false;
  if (headers.ce_sequence === undefined) return true; // a rejection
  const sequence = BigInt(headers.ce_sequence.toString());
  const stream = `${topic} ${ticket}`;
  if (sequence <= (seen.get(stream) ?? 0n)) return false;
  seen.set(stream, sequence);
  return true;
}

const kafka = new kafkajs.Kafka({
  clientId: "example-node-subscriber",
  brokers: given["bootstrap-servers"].split(","),
  logLevel: kafkajs.logLevel.ERROR,
});
const consumer = kafka.consumer({ groupId: given.group });
await consumer.connect();
await consumer.subscribe({ topics: given.topic, fromBeginning: true });
await consumer.run({
  eachMessage: async ({ topic, message }) => {
    const headers = message.headers ?? {};
    const ticket = message.key?.toString() ?? "";
    if (!isNews(topic, headers, ticket)) return;
    const sequence = headers.ce_sequence === undefined ? null : Number(headers.ce_sequence);
    const type = headers.ce_type.toString();
    console.log(JSON.stringify({ type, ticket, sequence }));
  },
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    await consumer.disconnect();
    process.exit(0);
  });
}
