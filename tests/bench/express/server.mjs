// The common way in Node: Express, the webhook check of Shopify's own library, and one BullMQ job per delivery.
// Environment: PORT, BENCH_SECRET, BENCH_REDIS_URL.
import "@shopify/shopify-api/adapters/node";
import { shopifyApi } from "@shopify/shopify-api";
import { Queue } from "bullmq";
import express from "express";

const { PORT, BENCH_SECRET, BENCH_REDIS_URL } = process.env;
const redis = new URL(BENCH_REDIS_URL);

const shopify = shopifyApi({
  apiKey: "bench",
  apiSecretKey: BENCH_SECRET,
  apiVersion: "2026-10",
  hostName: "bench.example",
  isEmbeddedApp: false,
});

const queue = new Queue("webhooks", {
  connection: { host: redis.hostname, port: Number(redis.port) },
  defaultJobOptions: { removeOnComplete: true },
});
queue.on("error", (error) => console.error(`queue: ${error.message}`));

const app = express();

// The library checks the bytes that were signed, so the body stays the text that came.
app.post("/webhooks/shopify", express.text({ type: "*/*", limit: "5mb" }), async (request, response) => {
  const check = await shopify.webhooks.validate({ rawBody: request.body, rawRequest: request, rawResponse: response });
  if (!check.valid) {
    response.status(401).end();
    return;
  }
  // Shopify repeats itself under the same webhook id, and BullMQ keeps one job per id.
  const { topic, domain, webhookId } = check;
  await queue.add(topic, { topic, domain, body: request.body }, { jobId: webhookId });
  response.status(200).end();
});

await queue.waitUntilReady();
const server = app.listen(Number(PORT), "127.0.0.1");

process.once("SIGTERM", () => {
  server.close();
  server.closeAllConnections();
  queue.close().finally(() => process.exit(0));
});
