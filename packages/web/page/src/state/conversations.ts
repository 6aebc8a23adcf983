/** The list of conversations, newest first. */

import type { ConversationSummary } from "@idolchat/client";

import { textOf } from "../talk/content.ts";
import { hear } from "../talk/windows.ts";
import { client } from "./session.ts";
import { Store } from "./store.ts";

interface State {
  at: "loading" | "ready" | "failed";
  data: readonly ConversationSummary[];
  next: string | null;
}

const PAGE = 50;

export const conversations = new Store<State>({ at: "loading", data: [], next: null });

export async function loadConversations(): Promise<void> {
  try {
    const page = await client.listConversations({ limit: PAGE });
    const { data, next } = conversations.get();
    // What was read further down stays, but for what has come up or is gone.
    const isFirst = data.length <= PAGE;
    const ids = new Set(page.data.map(({ id }) => id));
    const older = isFirst ? [] : data.slice(PAGE).filter(({ id }) => !ids.has(id));
    conversations.set({ at: "ready", data: [...page.data, ...older], next: isFirst ? page.next : next });
  } catch {
    conversations.update({ at: "failed" }); // shown, with a button to try again
  }
}

export async function loadOlder(): Promise<void> {
  const { next, data } = conversations.get();
  if (!next) return;
  const page = await client.listConversations({ limit: PAGE, before: next });
  const known = new Set(data.map(({ id }) => id));
  conversations.update({ data: [...data, ...page.data.filter(({ id }) => !known.has(id))], next: page.next });
}

let timer = 0;

/** Soon, once, however many ask. */
export function refreshConversations(): void {
  clearTimeout(timer);
  timer = window.setTimeout(() => void loadConversations(), 150);
}

hear((news) => {
  if (news.type !== "turn") refreshConversations();
});

const previews = new Map<string, Promise<string>>();

/** The last thing that was said, read once for each state of a conversation. */
export function previewOf({ id, updated_at: updatedAt }: ConversationSummary): Promise<string> {
  const key = `${id} ${updatedAt}`;
  const known = previews.get(key);
  if (known) return known;
  const read = client.messages(id, { limit: 4 }).then(
    (found) => textOf(found?.page.messages.findLast(({ content }) => textOf(content))?.content).slice(0, 200),
    () => "",
  );
  previews.set(key, read);
  return read;
}
