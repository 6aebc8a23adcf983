/** The branches of a conversation. */

import type { Message } from "@idolchat/client";

export interface Tree {
  messages: readonly Message[];
  byId: ReadonlyMap<string, Message>;
  parentOf: ReadonlyMap<string, string | null>;
  childrenOf: ReadonlyMap<string | null, readonly string[]>;
}

/** Messages in the order of the document; the first that is known counts as the beginning. */
export function treeOf(messages: readonly Message[]): Tree {
  const byId = new Map<string, Message>();
  const parentOf = new Map<string, string | null>();
  const childrenOf = new Map<string | null, string[]>();
  let before: string | null = null;
  for (const message of messages) {
    const id = String(message.id);
    const named = "parent_id" in message ? ((message.parent_id as string | null | undefined) ?? null) : before;
    const parent = named !== null && byId.has(named) ? named : null;
    byId.set(id, message);
    parentOf.set(id, parent);
    const siblings = childrenOf.get(parent);
    if (siblings) siblings.push(id);
    else childrenOf.set(parent, [id]);
    before = id;
  }
  return { messages, byId, parentOf, childrenOf };
}

/** The messages that lead to `head`, the oldest first. */
export function branchTo(tree: Tree, head: string | null | undefined): Message[] {
  const last = tree.messages.at(-1);
  let at: string | null = head && tree.byId.has(head) ? head : last ? String(last.id) : null;
  const branch: Message[] = [];
  while (at !== null) {
    branch.push(tree.byId.get(at)!);
    at = tree.parentOf.get(at) ?? null;
  }
  return branch.reverse();
}

export function siblingsOf(tree: Tree, id: string): readonly string[] {
  const parent = tree.parentOf.get(id);
  return parent === undefined ? [id] : (tree.childrenOf.get(parent) ?? [id]);
}

/** The end of the branch that goes on newest from a message. */
export function leafOf(tree: Tree, id: string): string {
  let at = id;
  for (;;) {
    const next = tree.childrenOf.get(at)?.at(-1);
    if (next === undefined) return at;
    at = next;
  }
}
