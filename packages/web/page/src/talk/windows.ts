/** What the windows of one browser tell each other. */

import type { KeptTurn } from "./kept.ts";

export type News =
  | { type: "turn"; conversationId: string; turn: KeptTurn }
  | { type: "changed"; conversationId: string }
  | { type: "deleted"; conversationId: string };

const channel = new BroadcastChannel("idolchat");
const listeners = new Set<(news: News) => void>();

channel.onmessage = ({ data }: MessageEvent<News>) => {
  for (const listener of [...listeners]) listener(data);
};

/** Tell the other windows; this one hears nothing. */
export function tell(news: News): void {
  channel.postMessage(news);
}

export function hear(listener: (news: News) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
