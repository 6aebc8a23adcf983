/** Following a turn through lost connections. */

import { ApiError, ConnectionLost, errorFrom } from "./errors.ts";
import { type Ended, type TurnEvent, type TurnState, turnEvent } from "./events.ts";
import { serverSentEvents } from "./sse.ts";

export interface Wire {
  /** Ask the server; rejects with what `fetch` rejects with. */
  fetch(path: string, init: RequestInit): Promise<Response>;
  /** Wait before attempt number `attempt`, from 1; rejects when the signal aborts. */
  pause(attempt: number, atLeastS: number, signal: AbortSignal | undefined): Promise<void>;
  onConnection(state: "lost" | "restored"): void;
}

export interface Follow {
  /** Begins the turn; undefined where it exists already. */
  begin?: { path: string; init: RequestInit; isRepeatable: boolean };
  turnId?: string;
  /** The last event that is known, -1 for none. */
  after?: number;
  signal?: AbortSignal | undefined;
}

/**
 * Yield a turn's events, each once and in order, until it has ended.
 *
 * A request that may be sent twice is sent again until it is answered. Once the turn is known it is followed by its id
 * and the last `seq`, so that whatever happens to the connection nothing is lost or doubled.
 */
export async function* follow(wire: Wire, how: Follow): AsyncGenerator<TurnEvent> {
  let { turnId, after = -1 } = how;
  let attempt = 0;
  let isOver = false;
  const signal = how.signal;
  for (;;) {
    let atLeastS = 0;
    try {
      const response = await ask(wire, how, turnId, after);
      if (response.status === 204) { // it is over, and no event is left; its server was lost where none was its end
        if (attempt && turnId) yield await outcome(wire, turnId, signal);
        return;
      }
      if (attempt) wire.onConnection("restored");
      for await (const event of serverSentEvents(response.body!)) {
        const told = turnEvent(event);
        if (!told) continue;
        if (told.type === "broken") {
          if (told.error.code === "unauthenticated") throw new ApiError(401, told.error);
          break; // so it is where the token has expired: whoever has another goes on with that
        }
        attempt = 0;
        if (told.seq <= after && told.type !== "ended") continue; // see the socket's
        after = told.seq;
        if (told.type === "started") turnId = told.turnId;
        yield told;
        isOver ||= told.type === "ended"; // the stream itself ends a moment later
      }
    } catch (error) {
      if (isOver) return;
      if (signal?.aborted) throw error;
      if (turnId && error instanceof ApiError && error.status === 410) {
        yield await outcome(wire, turnId, signal);
        return;
      }
      if (!isLost(error) && !(error instanceof ApiError && error.isPassing)) throw error;
      if (!turnId && how.begin && !how.begin.isRepeatable) throw error;
      atLeastS = error instanceof ApiError ? (error.retryAfterS ?? 0) : 0;
    }
    if (isOver) return;
    if (!turnId && how.begin && !how.begin.isRepeatable) throw new ConnectionLost("the answer was cut before it began");
    attempt += 1;
    wire.onConnection("lost");
    await wire.pause(attempt, atLeastS, signal);
  }
}

/** What `fetch` and a body that is cut reject with; anything else is a fault. */
function isLost(error: unknown): boolean {
  return error instanceof TypeError || error instanceof ConnectionLost || (error instanceof DOMException && error.name === "NetworkError");
}

async function ask(wire: Wire, how: Follow, turnId: string | undefined, after: number): Promise<Response> {
  const signal = how.signal ? { signal: how.signal } : {};
  const response = turnId
    ? await wire.fetch(`turns/${turnId}/stream`, {
        ...signal,
        headers: after >= 0 ? { "Last-Event-ID": `${turnId}:${after}` } : {},
      })
    : await wire.fetch(how.begin!.path, { ...how.begin!.init, ...signal });
  if (!response.ok) throw await errorFrom(response);
  return response;
}

/** The end of a turn of which no event is kept, or none that is not known. */
async function outcome(wire: Wire, turnId: string, signal: AbortSignal | undefined): Promise<Ended> {
  const response = await wire.fetch(`turns/${turnId}`, signal ? { signal } : {});
  if (!response.ok) throw await errorFrom(response);
  const status = (await response.json()) as {
    state: TurnState; message_id?: string; content?: string; usage?: Ended["usage"]; error?: Ended["error"]; last_seq?: number;
  };
  return {
    type: "ended",
    seq: status.last_seq ?? Number.MAX_SAFE_INTEGER,
    turnId,
    state: status.state,
    messageId: status.message_id ?? null,
    finishReason: null,
    usage: status.usage ?? null,
    error: status.error ?? null,
    characterId: null,
    content: status.content ?? "",
  };
}
