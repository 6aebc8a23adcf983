/** The WebSocket: the same turns over one connection, which is opened again when it is cut. */

import { ApiError, ConnectionLost, type Problem } from "./errors.ts";
import type { TurnEvent, TurnState, Usage } from "./events.ts";
import { newId } from "./ids.ts";
import type { Token } from "./client.ts";
import type { Content } from "./types.ts";

export interface SocketOptions {
  token?: Token;
  onConnection?: (state: "lost" | "restored") => void;
  pause?: (attempt: number, atLeastS: number, signal: AbortSignal | undefined) => Promise<void>;
  WebSocket?: typeof WebSocket;
}

export interface SocketMessage {
  conversationId?: string;
  characterId?: string;
  userId?: string;
  clientMessageId?: string;
  model?: string;
  on_busy?: "enqueue" | "reject" | "interrupt" | "rollback";
  options?: Record<string, unknown>;
}

interface Frame {
  type: string;
  turn_id?: string;
  conversation_id?: string;
  client_message_id?: string;
  user_message_id?: string;
  message_id?: string | null;
  message?: { id: string; finish_reason?: string | null; character_id?: string | null } | string | null;
  seq?: number;
  model?: string | null;
  turns_ahead?: number;
  character_id?: string | null;
  content?: string;
  fields?: Record<string, unknown>;
  usage?: Usage | null;
  state?: TurnState;
  code?: string;
}

/** One turn that is followed here, until its terminal event. */
class Followed {
  turnId: string | undefined;
  after = -1;
  #events: TurnEvent[] = [];
  #error: Error | undefined;
  #wake: (() => void) | undefined;
  /** Sent on every new connection until the turn is known. */
  readonly begin: Record<string, unknown> | undefined;
  readonly key: string | undefined;

  constructor(begin: Record<string, unknown> | undefined, key: string | undefined, turnId?: string, after = -1) {
    this.begin = begin;
    this.key = key;
    this.turnId = turnId;
    this.after = after;
  }

  add(event: TurnEvent): void {
    // Of a turn whose server was lost, the end may have the number of what that had told last: less is kept of it.
    if (event.seq <= this.after && event.type !== "ended") return;
    this.after = event.seq;
    this.#events.push(event);
    this.#wake?.();
  }

  fail(error: Error): void {
    this.#error = error;
    this.#wake?.();
  }

  async *events(): AsyncGenerator<TurnEvent> {
    for (;;) {
      const event = this.#events.shift();
      if (event) {
        yield event;
        if (event.type === "ended") return;
      } else if (this.#error) throw this.#error;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

export class ChatSocket {
  readonly #url: URL;
  readonly #options: SocketOptions;
  readonly #followed = new Set<Followed>();
  #socket: WebSocket | undefined;
  #isReady = false;
  #isClosed = false;
  #attempt = 0;

  constructor(url: URL, options: SocketOptions) {
    this.#url = url;
    this.#options = options;
  }

  /** Send a message; sent again on a new connection until the server has it, and stored once. */
  send(content: Content, how: SocketMessage = {}): AsyncGenerator<TurnEvent> {
    const key = how.clientMessageId ?? newId();
    const frame = {
      type: "message",
      message: content,
      client_message_id: key,
      // Sent twice without an id, one key would still be one conversation.
      conversation_id: how.conversationId,
      character_id: how.characterId,
      user_id: how.userId,
      model: how.model,
      on_busy: how.on_busy,
      options: how.options ?? {},
    };
    return this.#follow(new Followed(frame, key));
  }

  /** The events of a turn that exists, from the first or after `after`. */
  resume(turnId: string, after = -1): AsyncGenerator<TurnEvent> {
    return this.#follow(new Followed(undefined, undefined, turnId, after));
  }

  /** Stop a turn; its terminal event tells when it has stopped. */
  cancel(turnId: string): void {
    this.#write({ type: "cancel", turn_id: turnId });
  }

  /** Close the connection; the turns go on. */
  close(): void {
    this.#isClosed = true;
    this.#socket?.close(1000);
    this.#failAll(new ConnectionLost("the socket was closed here"));
  }

  async *#follow(one: Followed): AsyncGenerator<TurnEvent> {
    this.#followed.add(one);
    if (this.#isReady) this.#ask(one);
    else this.#open();
    try {
      yield* one.events();
    } finally {
      this.#followed.delete(one);
    }
  }

  #open(): void {
    if (this.#socket || this.#isClosed) return;
    const socket = new (this.#options.WebSocket ?? globalThis.WebSocket)(this.#url);
    this.#socket = socket;
    socket.onopen = () => void this.#greet(socket);
    socket.onmessage = ({ data }) => this.#read(JSON.parse(String(data)) as Frame);
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
  }

  async #greet(socket: WebSocket): Promise<void> {
    const token = await this.#options.token?.();
    if (socket.readyState !== socket.OPEN) return;
    if (token) socket.send(JSON.stringify({ type: "auth", token }));
    this.#isReady = true;
    if (this.#attempt) this.#options.onConnection?.("restored");
    this.#attempt = 0;
    for (const one of this.#followed) this.#ask(one);
  }

  #ask(one: Followed): void {
    this.#write(one.turnId ? { type: "resume", turn_id: one.turnId, after_seq: one.after } : one.begin!);
  }

  #write(frame: Record<string, unknown>): void {
    this.#socket?.send(JSON.stringify(frame));
  }

  #closed(code: number, reason: string): void {
    this.#socket = undefined;
    this.#isReady = false;
    if (this.#isClosed) return;
    if (code === 4401 || code === 1008) return this.#failAll(new ApiError(401, { message: reason || "the token is not good", code: "unauthenticated" }));
    if (!this.#followed.size) return;
    this.#attempt += 1;
    this.#options.onConnection?.("lost");
    const pause = this.#options.pause?.(this.#attempt, 0, undefined) ?? new Promise<void>((resolve) => setTimeout(resolve, 1000));
    void pause.then(() => this.#open());
  }

  #failAll(error: Error): void {
    for (const one of this.#followed) one.fail(error);
  }

  #read(frame: Frame): void {
    const one = this.#followedBy(frame);
    if (!one) return;
    const event = eventOf(frame);
    if (event) {
      if (event.type === "started") one.turnId = event.turnId;
      one.add(event);
    } else if (frame.type === "error") one.fail(new ApiError(0, frame as unknown as Problem));
  }

  #followedBy(frame: Frame): Followed | undefined {
    for (const one of this.#followed) {
      if (frame.turn_id !== undefined && one.turnId === frame.turn_id) return one;
      if (one.turnId === undefined && frame.client_message_id !== undefined && one.key === frame.client_message_id) return one;
    }
    return undefined;
  }
}

function eventOf(frame: Frame): TurnEvent | undefined {
  const { seq, turn_id: turnId = "" } = frame;
  if (seq === undefined) return undefined;
  if (frame.type === "turn_started") {
    return {
      type: "started",
      seq,
      turnId,
      conversationId: frame.conversation_id ?? "",
      userMessageId: frame.user_message_id ?? "",
      model: frame.model ?? null,
      turnsAhead: frame.turns_ahead ?? 0,
      characterId: frame.character_id ?? null,
    };
  }
  if (frame.type === "delta") return { type: "delta", seq, content: frame.content ?? "", fields: frame.fields ?? {} };
  if (!["message", "cancelled", "error"].includes(frame.type)) return undefined;
  const message = typeof frame.message === "object" ? frame.message : null;
  const isError = frame.type === "error";
  return {
    type: "ended",
    seq,
    turnId,
    state: frame.state ?? (frame.type === "message" ? "completed" : "cancelled"),
    messageId: message?.id ?? frame.message_id ?? null,
    finishReason: isError ? "error" : (message?.finish_reason ?? null),
    usage: frame.usage ?? null,
    error: isError ? (frame as unknown as Problem) : null,
    characterId: message?.character_id ?? null,
  };
}
