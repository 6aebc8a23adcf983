/** Turns that are not, or not wholly, in the document yet. */

import type { Content, Message, Problem, TurnEvent } from "@idolchat/client";

export type Kind = "send" | "edit" | "regenerate" | "continue" | "retry" | "follow";

export interface Pending {
  key: string;
  kind: Kind;
  /** What it stands after; null for the beginning. */
  anchor: string | null;
  user?: Content | undefined;
  userMessageId?: string | undefined;
  turnId?: string | undefined;
  /** The text of the reply that is continued, and its id. */
  prefix: string;
  continues?: string | undefined;
  text: string;
  reasoning: string;
  state: "sending" | "queued" | "running" | "ended" | "failed";
  model: string | null;
  /** Who answers, where the conversation is with several characters. */
  characterId?: string | undefined;
  error?: Problem | undefined;
  events: { at: number; event: TurnEvent }[];
}

export type Row =
  | { key: string; kind: "message"; message: Message }
  | { key: string; kind: "sent"; pending: Pending }
  | { key: string; kind: "reply"; pending: Pending };

/** What is shown: the active branch, and what is under way where it will stand. */
export function rowsOf(branch: readonly Message[], pendings: readonly Pending[]): Row[] {
  let rows: Row[] = branch.map((message) => ({ key: String(message.id), kind: "message", message }));
  for (const pending of pendings) rows = withPending(rows, pending);
  return rows;
}

function withPending(rows: Row[], pending: Pending): Row[] {
  const reply: Row = { key: `reply-${pending.key}`, kind: "reply", pending };
  const asked = pending.userMessageId === undefined ? -1 : placeOf(rows, pending.userMessageId);
  if (asked >= 0) {
    const after = rows.slice(asked + 1);
    const first = after[0];
    // Another reply takes the place of the one that is there; a message that waits behind stays.
    const isReplaced = first?.kind === "message" && first.message.role === "assistant";
    return [...rows.slice(0, asked + 1), reply, ...(isReplaced ? [] : after)];
  }
  const anchor = pending.anchor === null ? -1 : placeOf(rows, pending.anchor);
  const isBehind = pending.kind === "send" || pending.kind === "follow";
  const before = isBehind || (pending.anchor !== null && anchor < 0) ? rows : rows.slice(0, anchor + 1);
  const sent: Row[] = pending.user === undefined ? [] : [{ key: `sent-${pending.key}`, kind: "sent", pending }];
  return [...before, ...sent, reply];
}

function placeOf(rows: readonly Row[], id: string): number {
  for (let index = rows.length - 1; index >= 0; index -= 1) {
    const row = rows[index]!;
    if (row.kind === "message" && String(row.message.id) === id) return index;
  }
  return -1;
}
