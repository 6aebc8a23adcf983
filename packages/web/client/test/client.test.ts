/** Against a real server, whose address is IDOLCHAT_URL and whose models are a stand-in's, at MOCK_URL. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError, ConnectionLost, IdolchatClient, type TurnEvent, newId } from "../src/index.ts";

const baseUrl = process.env.IDOLCHAT_URL;
assert.ok(baseUrl, "IDOLCHAT_URL is the address of a running server");
const client = new IdolchatClient({ baseUrl, maxPauseMs: 50 });
/** A reply of this model stops after eight words, until it is released or cancelled. */
const held = { model: "mock/n64-h8" };

/** Have replies of that model go on, or stop again. */
async function tellModels(what: "release" | "hold"): Promise<void> {
  assert.ok((await fetch(`${process.env.MOCK_URL}/_${what}`)).ok);
}

async function all(events: AsyncIterable<TurnEvent>): Promise<TurnEvent[]> {
  const read: TurnEvent[] = [];
  for await (const event of events) read.push(event);
  return read;
}

function textOf(events: readonly TurnEvent[]): string {
  return events.map((event) => (event.type === "delta" ? event.content : "")).join("");
}

function startedOf(events: readonly TurnEvent[]): Extract<TurnEvent, { type: "started" }> {
  const first = events[0];
  assert.equal(first?.type, "started");
  return first as Extract<TurnEvent, { type: "started" }>;
}

/** A client whose streams are cut after so many bytes, each time anew. */
function cutting(sizes: number[]): IdolchatClient {
  return new IdolchatClient({
    baseUrl: baseUrl!,
    maxPauseMs: 20,
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      const size = sizes.shift();
      if (size === undefined || !response.body) return response;
      let rest = size;
      const cut = new TransformStream<Uint8Array, Uint8Array>({
        transform(part, controller) {
          controller.enqueue(part.slice(0, rest));
          rest -= part.length;
          if (rest < 0) controller.error(new TypeError("terminated"));
        },
      });
      return new Response(response.body.pipeThrough(cut), response);
    },
  });
}

test("a message is answered by start, deltas and end, numbered from 0", async () => {
  const events = await all(client.send("Hello!"));
  const ended = events.at(-1);

  assert.deepEqual(events.map(({ seq }) => seq), events.map((_, index) => index));
  assert.equal(ended?.type === "ended" && ended.state, "completed");
  const { conversation } = await client.conversation(startedOf(events).conversationId);
  assert.deepEqual(conversation.messages.map(({ content }) => content), ["Hello!", textOf(events)]);
});

for (const sizes of [[0], [40], [400], [900, 400, 10], [2000, 1], [5000, 5000]]) {
  test(`a stream that is cut after ${sizes.join(", then ")} bytes loses and doubles nothing`, async () => {
    const conversationId = newId();
    const events = await all(cutting([...sizes]).send("Hello!", { conversationId }));

    assert.deepEqual(events.map(({ seq }) => seq), events.map((_, index) => index));
    const { conversation } = await client.conversation(conversationId);
    assert.deepEqual(conversation.messages.map(({ content }) => content), ["Hello!", textOf(events)]);
  });
}

test("a turn is followed from any event on", async () => {
  const events = await all(client.send("Hello!"));

  assert.deepEqual(await all(client.follow(startedOf(events).turnId, { after: 5 })), events.slice(6));
});

test("a conversation is branched: another reply, an edit, what is continued, and the choice between", async () => {
  const id = newId();
  await all(client.send("Hello!", { conversationId: id }));
  await all(client.regenerate(id));
  const before = (await client.conversation(id)).conversation;
  await all(client.edit(id, before.messages[0]!.id, "Good morning!"));
  const edited = (await client.conversation(id)).conversation;
  const added = textOf(await all(client.continueReply(id, edited.messages.at(-1)!.id)));
  const { messages } = (await client.conversation(id)).conversation;

  assert.deepEqual(messages.map(({ role }) => role), ["user", "assistant", "assistant", "user", "assistant", "assistant"]);
  assert.equal(messages[5]!.content, `${String(messages[4]!.content)}${added}`);
  await client.chooseBranch(id, messages[1]!.id);
  assert.equal((await client.conversation(id)).conversation.head, messages[1]!.id);
});

test("a page is read again only where something changed", async () => {
  const id = newId();
  await all(client.send("Hello!", { conversationId: id }));
  const read = await client.messages(id, { limit: 1 });

  assert.equal(read?.page.total, 2);
  assert.equal(await client.messages(id, { limit: 1 }, read?.etag), undefined);
});

test("a turn is cancelled, and its last event says so", async () => {
  let turnId = "";
  const events: TurnEvent[] = [];
  for await (const event of client.send("Hello!", { options: held })) {
    events.push(event);
    if (event.type === "started") turnId = event.turnId;
    if (event.seq === 3) await client.cancel(turnId);
  }

  assert.equal(events.at(-1)?.type === "ended" && (events.at(-1) as { state: string }).state, "cancelled");
});

test("what was said is found, and forgotten when it is deleted", async () => {
  const id = newId();
  await all(client.send("The walrus wears a turquoise hat.", { conversationId: id }));
  const found = await client.searchConversations("turquoise walrus");
  assert.deepEqual(found.data.map(({ conversation_id: one }) => one), [id]);

  await client.deleteConversation(id);

  await assert.rejects(client.conversation(id), (error: ApiError) => error.code === "conversation_not_found" && error.status === 404);
});

test("a refusal is an error with the server's code", async () => {
  await assert.rejects(all(client.send("")), (error: ApiError) => error instanceof ApiError && error.status === 422);
});

/** A client before a server that lets only the token `good` in; the others are told that theirs has expired. */
function guarded(tokens: string[]): { client: IdolchatClient; asked: (string | undefined)[] } {
  const asked: (string | undefined)[] = [];
  const one = new IdolchatClient({
    baseUrl: baseUrl!,
    maxPauseMs: 1,
    token: (refused) => {
      asked.push(refused);
      return refused ? (tokens[1] ?? refused) : tokens[0];
    },
    fetch: (url, init) => {
      if (new Headers(init?.headers).get("Authorization") === "Bearer good") return fetch(url, init);
      return Promise.resolve(Response.json({ error: { message: "it has expired", code: "token_expired" } }, { status: 401 }));
    },
  });
  return { client: one, asked };
}

test("a token that was refused is asked for once more, and the request is made with the other", async () => {
  const { client: one, asked } = guarded(["old", "good"]);

  assert.ok((await one.listConversations()).data);
  assert.deepEqual(asked, [undefined, "old"]);
  assert.equal(textOf(await all(one.send("Hello!"))).length > 0, true);
});

test("where no other token comes, what the server said is the error", async () => {
  const { client: one } = guarded(["old"]);

  await assert.rejects(one.listConversations(), (error: ApiError) => error.status === 401 && error.code === "token_expired");
  await assert.rejects(all(one.send("Hello!")), (error: ApiError) => error.status === 401);
});

test("what was spent is told day by day", async () => {
  await all(client.send("Hello!"));
  const { since, until, data } = await client.usage();

  assert.equal((Date.parse(until) - Date.parse(since)) / 86_400_000, 29);
  assert.ok(data.every(({ day }) => since <= day && day <= until));
});

test("what is only read is asked for again when the connection is cut", async () => {
  const cut: string[] = [];
  const cutOnce = new IdolchatClient({
    baseUrl: baseUrl!,
    maxPauseMs: 1,
    fetch: (url, init) => {
      const asked = `${init?.method} ${url}`;
      if (cut.includes(asked)) return fetch(url, init);
      cut.push(asked);
      return Promise.reject(new TypeError("cut"));
    },
  });

  assert.ok((await cutOnce.listConversations()).data);
  await assert.rejects(cutOnce.deleteConversation(newId()), ConnectionLost);
});

test("a server that cannot be reached is said to be lost, and a stream that may not be sent twice is not", async () => {
  const away = new IdolchatClient({ baseUrl: "http://127.0.0.1:9/", maxPauseMs: 1 });

  await assert.rejects(away.models(), ConnectionLost);
  await assert.rejects(all(away.regenerate(newId())));
});

test("an abort ends a stream that waits for its server", async () => {
  const away = new IdolchatClient({ baseUrl: "http://127.0.0.1:9/", maxPauseMs: 10_000 });
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 20);

  await assert.rejects(all(away.send("Hello!", { signal: abort.signal })), { name: "AbortError" });
});

test("the end is told to who has seen more than is kept of a turn, as where its server was lost", async () => {
  const before = await all(client.send("Hello!"));
  const { turnId } = startedOf(before);
  const seen = before.at(-1)!.seq + 3;
  const socket = client.connect();
  const told = await all(socket.resume(turnId, seen));
  socket.close();
  let count = 0;
  const ahead = new IdolchatClient({
    baseUrl: baseUrl!,
    maxPauseMs: 1,
    fetch: (url, init) => {
      count += 1;
      if (count === 1) return Promise.reject(new TypeError("terminated"));
      return fetch(url, String(url).endsWith("/stream") ? { ...init, headers: { "Last-Event-ID": `${turnId}:${seen}` } } : init);
    },
  });

  assert.deepEqual(told.map(({ type }) => type), ["ended"]);
  assert.deepEqual((await all(ahead.follow(turnId, { after: seen }))).map(({ type }) => type), ["ended"]);
});

test("the socket tells the same events as the stream", async () => {
  const socket = client.connect();
  const conversationId = newId();
  const events = await all(socket.send("Hello!", { conversationId }));
  socket.close();

  const streamed = await all(client.follow(startedOf(events).turnId));
  assert.equal(textOf(events), textOf(streamed));
  assert.deepEqual(events.map(({ type, seq }) => [type, seq]), streamed.map(({ type, seq }) => [type, seq]));
});

test("a socket that is cut is opened again and goes on", async () => {
  const opened: WebSocket[] = [];
  class Watched extends WebSocket {
    constructor(...given: ConstructorParameters<typeof WebSocket>) {
      super(...given);
      if (opened.push(this) === 2) void tellModels("release");
    }
  }
  const socket = client.connect({ WebSocket: Watched });
  const conversationId = newId();
  const events: TurnEvent[] = [];
  for await (const event of socket.send("Hello!", { conversationId, ...held })) {
    events.push(event);
    if (event.seq === 4) opened[0]!.close();
  }
  socket.close();
  await tellModels("hold");

  assert.equal(opened.length, 2);
  assert.deepEqual(events.map(({ seq }) => seq), events.map((_, index) => index));
  const { conversation } = await client.conversation(conversationId);
  assert.deepEqual(conversation.messages.map(({ content }) => content), ["Hello!", textOf(events)]);
});

test("a frame that is refused is an error of its message", async () => {
  const socket = client.connect();

  await assert.rejects(all(socket.send("", { conversationId: newId() })), (error: ApiError) => error instanceof ApiError);
  socket.close();
});

test("ids of clients sort by time", () => {
  const ids = [1, 2, 3].map((ms) => newId(1_800_000_000_000 + ms));

  assert.deepEqual([...ids].sort(), ids);
  assert.match(ids[0]!, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
