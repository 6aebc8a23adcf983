/** The client of an idolchat server. */

import { ConnectionLost, errorFrom } from "./errors.ts";
import type { TurnEvent } from "./events.ts";
import { newId } from "./ids.ts";
import { ChatSocket, type SocketOptions } from "./socket.ts";
import { type Follow, type Wire, follow } from "./turns.ts";
import type {
  Content,
  Conversation,
  ConversationPage,
  Message,
  MessagePage,
  ModelList,
  PromptExplanation,
  Search,
  TurnStatus,
  UsageReport,
} from "./types.ts";

export type Token = (refused?: string) => string | undefined | Promise<string | undefined>;

export interface ClientOptions {
  /** Where the server is, such as `https://chat.example.com/api/`; a page of the server's own may leave it out. */
  baseUrl?: string | URL;
  /**
   * The token to send, asked for at each request: an API key, or a user's token. Asked once more with the one that the
   * server refused; where another comes, the request is made with that.
   */
  token?: Token;
  /** Told when a stream is cut, and when it goes on. */
  onConnection?: (state: "lost" | "restored") => void;
  fetch?: typeof fetch;
  /** The longest pause before a stream is asked for again, in milliseconds. */
  maxPauseMs?: number;
}

/** How a turn is run; any other field of a chat completions request goes to the model's provider. */
export interface TurnOptions {
  model?: string;
  on_busy?: "enqueue" | "reject" | "interrupt" | "rollback";
  on_disconnect?: "continue" | "cancel";
  [option: string]: unknown;
}

export interface SendOptions {
  conversationId?: string | undefined;
  characterId?: string | undefined;
  userId?: string | undefined;
  /** Makes sending twice safe; made up where it is not given. */
  idempotencyKey?: string;
  options?: TurnOptions;
  signal?: AbortSignal;
}

export interface EditOptions {
  idempotencyKey?: string;
  options?: TurnOptions;
  signal?: AbortSignal;
}

const READ_ATTEMPTS = 3;

type Query = Record<string, string | number | undefined>;

export class IdolchatClient {
  readonly baseUrl: URL;
  readonly #options: ClientOptions;
  readonly #wire: Wire;

  constructor(options: ClientOptions = {}) {
    this.#options = options;
    const base = new URL(options.baseUrl ?? ".", globalThis.document?.baseURI);
    if (!base.pathname.endsWith("/")) base.pathname += "/";
    base.search = base.hash = "";
    this.baseUrl = base;
    this.#wire = {
      fetch: (path, init) => this.fetch(path, init),
      pause: (attempt, atLeastS, signal) => pause(attempt, atLeastS, signal, options.maxPauseMs ?? 10_000),
      onConnection: (state) => options.onConnection?.(state),
    };
  }

  /** Ask the server for anything, with the token; the answer as it is. */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const token = await this.#options.token?.();
    const response = await this.#fetch(path, init, token);
    if (response.status !== 401 || !token) return response;
    const other = await this.#options.token?.(token);
    return other && other !== token ? this.#fetch(path, init, other) : response;
  }

  #fetch(path: string, init: RequestInit, token: string | undefined): Promise<Response> {
    const headers = new Headers(init.headers);
    if (token) headers.set("Authorization", `Bearer ${token}`);
    const ask = this.#options.fetch ?? globalThis.fetch;
    return ask(new URL(path.replace(/^\//, ""), this.baseUrl), { ...init, headers, cache: "no-store" });
  }

  /** Ask for JSON. Rejects with `ApiError` and `ConnectionLost`. */
  async json<T>(method: string, path: string, how: { body?: unknown; query?: Query; headers?: HeadersInit; signal?: AbortSignal } = {}): Promise<T> {
    const response = await this.#answered(method, path, how);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }

  async #answered(method: string, path: string, how: { body?: unknown; query?: Query; headers?: HeadersInit; signal?: AbortSignal }): Promise<Response> {
    const headers = new Headers(how.headers);
    const init: RequestInit = { method, headers };
    if (how.signal) init.signal = how.signal;
    if (how.body !== undefined) {
      const isRaw = how.body instanceof Blob || how.body instanceof ArrayBuffer;
      init.body = isRaw ? (how.body as BodyInit) : JSON.stringify(how.body);
      if (!isRaw) headers.set("Content-Type", "application/json");
    }
    const attempts = method === "GET" ? READ_ATTEMPTS : 1; // what only reads may be asked again
    for (let attempt = 1; ; attempt += 1) {
      try {
        const response = await this.fetch(path + queryText(how.query), init);
        if (!response.ok && response.status !== 304) throw await errorFrom(response);
        return method === "GET" && response.status === 200 ? await received(response) : response;
      } catch (error) {
        if (how.signal?.aborted || !(error instanceof TypeError)) throw error;
        if (attempt === attempts) throw new ConnectionLost(error);
        await this.#wire.pause(attempt, 0, how.signal);
      }
    }
  }

  // Conversations

  listConversations(query: { limit?: number; before?: string; character_id?: string; user_id?: string } = {}): Promise<ConversationPage> {
    return this.json("GET", "conversations", { query });
  }

  /** The whole document, and the ETag that names its state. */
  async conversation(id: string): Promise<{ conversation: Conversation; etag: string | null }> {
    const response = await this.#answered("GET", `conversation/${id}`, {});
    return { conversation: (await response.json()) as Conversation, etag: response.headers.get("etag") };
  }

  /** The newest messages, or those before `before`; undefined where nothing changed since `unless`. */
  async messages(id: string, query: { limit?: number; before?: number } = {}, unless?: string | null): Promise<{ page: MessagePage; etag: string | null } | undefined> {
    const headers: HeadersInit = unless ? { "If-None-Match": unless } : {};
    const response = await this.#answered("GET", `conversation/${id}`, { query: { limit: 50, ...query }, headers });
    if (response.status === 304) return undefined;
    return { page: (await response.json()) as MessagePage, etag: response.headers.get("etag") };
  }

  searchConversations(text: string, query: { limit?: number; before?: string } = {}): Promise<Search> {
    return this.json("GET", "conversations/search", { query: { text, ...query } });
  }

  deleteConversation(id: string): Promise<void> {
    return this.json("DELETE", `conversation/${id}`);
  }

  /** Make the branch that ends with `head` the active one. */
  chooseBranch(id: string, head: string): Promise<void> {
    return this.json("PATCH", `conversation/${id}`, { body: { head } });
  }

  fork(id: string, messageId?: string): Promise<Conversation> {
    return this.json("POST", `conversation/${id}/fork`, { body: messageId ? { message_id: messageId } : {} });
  }

  rewrite(id: string, messageId: string, content: Content): Promise<Message> {
    return this.json("POST", `conversation/${id}/messages/${messageId}/rewrite`, { body: { content } });
  }

  deleteMessage(id: string, messageId: string): Promise<void> {
    return this.json("DELETE", `conversation/${id}/messages/${messageId}`);
  }

  // Turns

  /** Send a message and read the reply as it is made. Sent again until it is answered, and stored once. */
  send(content: Content, how: SendOptions = {}): AsyncGenerator<TurnEvent> {
    const body = {
      ...how.options,
      messages: [{ role: "user", content }],
      conversation_id: how.conversationId,
      character_id: how.characterId,
      user_id: how.userId,
    };
    return this.#turn("chat/stream", body, how, how.idempotencyKey ?? newId());
  }

  /** Put another message where one is, on a branch of its own, and answer it. */
  edit(conversationId: string, messageId: string, content: Content, how: EditOptions = {}): AsyncGenerator<TurnEvent> {
    const body = { ...how.options, messages: [{ role: "user", content }] };
    return this.#turn(`conversation/${conversationId}/messages/${messageId}/edit`, body, how, how.idempotencyKey ?? newId());
  }

  /** Answer the last message of the active branch once more. */
  regenerate(conversationId: string, how: { options?: TurnOptions; signal?: AbortSignal } = {}): AsyncGenerator<TurnEvent> {
    return this.#turn(`conversation/${conversationId}/regenerate`, { ...how.options }, how);
  }

  /** Have the model go on with a reply; deltas carry what is added. */
  continueReply(conversationId: string, messageId: string, how: { options?: TurnOptions; signal?: AbortSignal } = {}): AsyncGenerator<TurnEvent> {
    return this.#turn(`conversation/${conversationId}/messages/${messageId}/continue`, { ...how.options }, how);
  }

  /** Answer the message of a turn that did not complete; asked twice it is one turn. */
  retry(turnId: string, how: { options?: TurnOptions; signal?: AbortSignal } = {}): AsyncGenerator<TurnEvent> {
    const init = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ...how.options, stream: true }) };
    return follow(this.#wire, { begin: { path: `turns/${turnId}/retry`, init, isRepeatable: true }, signal: how.signal });
  }

  /** The events of a turn that exists, from the first or after `after`. */
  follow(turnId: string, how: { after?: number; signal?: AbortSignal } = {}): AsyncGenerator<TurnEvent> {
    return follow(this.#wire, { turnId, ...how });
  }

  turn(turnId: string): Promise<TurnStatus> {
    return this.json("GET", `turns/${turnId}`);
  }

  cancel(turnId: string): Promise<TurnStatus> {
    return this.json("POST", `turns/${turnId}/cancel`);
  }

  explainPrompt(turnId: string): Promise<PromptExplanation> {
    return this.json("GET", `turns/${turnId}/prompt`);
  }

  /** What was spent on each UTC day, such as `2026-11-29`; by default of the last thirty. */
  usage(query: { since?: string; until?: string; user_id?: string } = {}): Promise<UsageReport> {
    return this.json("GET", "usage", { query });
  }

  models(): Promise<ModelList> {
    return this.json("GET", "models");
  }

  /** A WebSocket that tells the same events, and reconnects. */
  connect(options: SocketOptions = {}): ChatSocket {
    const url = new URL("ws/chat", this.baseUrl);
    url.protocol = url.protocol.replace("http", "ws");
    return new ChatSocket(url, {
      ...(this.#options.token ? { token: this.#options.token } : {}),
      onConnection: this.#wire.onConnection,
      pause: this.#wire.pause,
      ...options,
    });
  }

  #turn(path: string, body: Record<string, unknown>, how: { signal?: AbortSignal }, key?: string): AsyncGenerator<TurnEvent> {
    const headers: Record<string, string> = { "Content-Type": "application/json" };
    if (key) headers["Idempotency-Key"] = `"${key}"`;
    const init = { method: "POST", headers, body: JSON.stringify({ ...body, stream: true }) };
    const begin: Follow["begin"] = { path, init, isRepeatable: key !== undefined };
    return follow(this.#wire, { begin, signal: how.signal });
  }
}

/** Wait for the whole body, so that a connection that is cut in it is known here. */
async function received(response: Response): Promise<Response> {
  return new Response(await response.arrayBuffer(), { status: response.status, headers: response.headers });
}

function queryText(query: Query = {}): string {
  const given = Object.entries(query).filter((pair): pair is [string, string | number] => pair[1] !== undefined);
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}

/** Wait twice as long each time, up to `maxMs`; no longer than until the network is back. */
function pause(attempt: number, atLeastS: number, signal: AbortSignal | undefined, maxMs: number): Promise<void> {
  const ms = Math.max(Math.min(250 * 2 ** (attempt - 1), maxMs) * (0.75 + Math.random() / 2), atLeastS * 1000);
  return new Promise((resolve, reject) => {
    const done = (): void => {
      clearTimeout(timer);
      globalThis.removeEventListener?.("online", online);
      signal?.removeEventListener("abort", aborted);
    };
    const online = (): void => { done(); resolve(); };
    const aborted = (): void => { done(); reject(signal!.reason as Error); };
    const timer = setTimeout(online, ms);
    if (!atLeastS) globalThis.addEventListener?.("online", online);
    if (signal?.aborted) aborted();
    else signal?.addEventListener("abort", aborted);
  });
}
