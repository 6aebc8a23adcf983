import assert from "node:assert/strict";
import { test } from "node:test";

import { serverSentEvents } from "../src/index.ts";

async function read(...parts: (string | Uint8Array)[]): Promise<[string | undefined, string][]> {
  const bytes = parts.map((part) => (typeof part === "string" ? new TextEncoder().encode(part) : part));
  const found: [string | undefined, string][] = [];
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const part of bytes) controller.enqueue(part);
      controller.close();
    },
  });
  for await (const { id, data } of serverSentEvents(body)) found.push([id, data]);
  return found;
}

test("events are read wherever the bytes are split", async () => {
  const text = ": beat\nid: a:1\ndata: {\"x\":\"é🎤\"}\n\nretry: 5\n\ndata: one\ndata: two\n\n";
  const whole = await read(text);

  assert.deepEqual(whole, [["a:1", '{"x":"é🎤"}'], [undefined, "one\ntwo"]]);
  const bytes = new TextEncoder().encode(text);
  for (let at = 1; at < bytes.length; at += 1) assert.deepEqual(await read(bytes.slice(0, at), bytes.slice(at)), whole);
});

test("lines end as the standard says", async () => {
  assert.deepEqual(await read("data: a\r\n\r\n", "data: b\r\rdata: c\n\n"), [[undefined, "a"], [undefined, "b"], [undefined, "c"]]);
});

test("an event that was cut is not told", async () => {
  assert.deepEqual(await read("data: a\n\ndata: b\n"), [[undefined, "a"]]);
});
