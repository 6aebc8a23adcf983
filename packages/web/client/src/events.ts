/** A turn's events, the same over SSE and WebSocket. */

import type { Problem } from "./errors.ts";
import type { ServerSentEvent } from "./sse.ts";

export type TurnState = "queued" | "running" | "completed" | "cancelled" | "failed" | "incomplete" | "interrupted";

export interface Usage {
  input_tokens?: number;
  output_tokens?: number;
  cost?: number | null;
  [more: string]: unknown;
}

/** The message is on disk, and the turn goes on without us. */
export interface Started {
  type: "started";
  seq: number;
  turnId: string;
  conversationId: string;
  userMessageId: string;
  model: string | null;
  /** How many turns of the conversation it waits for. */
  turnsAhead: number;
  /** Who answers, in a conversation with several characters; of a turn that waits, its end tells it. */
  characterId: string | null;
}

export interface Delta {
  type: "delta";
  seq: number;
  content: string;
  /** What else the model sent, such as `reasoning` and `tool_calls`. */
  fields: Readonly<Record<string, unknown>>;
}

/** The turn is over and what is kept of it is on disk. */
export interface Ended {
  type: "ended";
  seq: number;
  turnId: string;
  state: TurnState;
  messageId: string | null;
  finishReason: string | null;
  usage: Usage | null;
  error: Problem | null;
  /** Who has answered, in a conversation with several characters. */
  characterId: string | null;
  /** The whole text, where the events between were not kept any more; replaces the deltas. */
  content?: string;
}

export type TurnEvent = Started | Delta | Ended;

interface Chunk {
  model?: string;
  conversation_id?: string;
  turn_id?: string;
  user_message_id?: string;
  message_id?: string | null;
  turns_ahead?: number;
  character_id?: string | null;
  state?: TurnState | "unknown";
  usage?: Record<string, number | null> | null;
  error?: Problem;
  choices?: { delta?: Record<string, unknown>; finish_reason?: string | null }[];
}

/** A stream told of its own end without an event of the turn: the turn goes on, or nobody knows. */
export interface Broken {
  type: "broken";
  error: Problem;
}

/** Read an event; undefined for `[DONE]` and events that are not a turn's. */
export function turnEvent(event: ServerSentEvent): TurnEvent | Broken | undefined {
  if (event.data === "[DONE]") return undefined;
  const chunk = JSON.parse(event.data) as Chunk;
  if (!event.id) return chunk.error ? { type: "broken", error: chunk.error } : undefined;
  const colon = event.id.lastIndexOf(":");
  const turnId = event.id.slice(0, colon);
  const seq = Number(event.id.slice(colon + 1));
  if (seq === 0) return started(turnId, chunk);
  const choice = chunk.choices?.[0];
  if (chunk.state && chunk.state !== "unknown" && choice?.finish_reason) {
    return {
      type: "ended",
      seq,
      turnId,
      state: chunk.state,
      messageId: chunk.message_id ?? null,
      finishReason: choice.finish_reason,
      usage: usage(chunk.usage),
      error: chunk.error ?? null,
      characterId: chunk.character_id ?? null,
    };
  }
  const { content, ...fields } = choice?.delta ?? {};
  return { type: "delta", seq, content: typeof content === "string" ? content : "", fields };
}

function started(turnId: string, chunk: Chunk): Started {
  return {
    type: "started",
    seq: 0,
    turnId,
    conversationId: chunk.conversation_id ?? "",
    userMessageId: chunk.user_message_id ?? "",
    model: chunk.model ?? null,
    turnsAhead: chunk.turns_ahead ?? 0,
    characterId: chunk.character_id ?? null,
  };
}

/** The stream names tokens as OpenAI does, the document as we do. */
function usage(given: Chunk["usage"]): Usage | null {
  if (!given) return null;
  const { prompt_tokens, completion_tokens, cost } = given;
  return { input_tokens: prompt_tokens ?? 0, output_tokens: completion_tokens ?? 0, cost: cost ?? null };
}
