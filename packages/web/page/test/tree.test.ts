import assert from "node:assert/strict";
import { test } from "node:test";

import type { Pending } from "../src/talk/pending.ts";
import { rowsOf } from "../src/talk/pending.ts";
import { branchTo, leafOf, siblingsOf, treeOf } from "../src/talk/tree.ts";

type Said = Parameters<typeof treeOf>[0][number];

function said(id: string, role: string, parent?: string | null): Said {
  const message = { id, role, content: id, timestamp: "2026-01-01T00:00:00Z" } as Said;
  return parent === undefined ? message : { ...message, parent_id: parent };
}

function pending(about: Partial<Pending>): Pending {
  return { key: "p", kind: "send", anchor: null, prefix: "", text: "", reasoning: "", state: "running", model: null, events: [], ...about };
}

const MESSAGES = [said("u1", "user"), said("a1", "assistant"), said("a2", "assistant", "u1"), said("u2", "user"), said("u3", "user", null)];
const tree = treeOf(MESSAGES);

const ids = (messages: readonly Said[]): string[] => messages.map(({ id }) => String(id));

test("a message follows the one before it, or the one that it names", () => {
  assert.deepEqual(ids(branchTo(tree, "u2")), ["u1", "a2", "u2"]);
  assert.deepEqual(ids(branchTo(tree, "a1")), ["u1", "a1"]);
});

test("without a head the last message ends the active branch", () => {
  assert.deepEqual(ids(branchTo(tree, null)), ["u3"]);
});

test("what stands in the same place are siblings", () => {
  assert.deepEqual(siblingsOf(tree, "a1"), ["a1", "a2"]);
  assert.deepEqual(siblingsOf(tree, "u3"), ["u1", "u3"]);
});

test("a chosen sibling is gone on with where it went on last", () => {
  assert.equal(leafOf(tree, "u1"), "u2");
});

test("of a conversation that is known in part the first message begins it", () => {
  const part = treeOf([said("a9", "assistant", "u8"), said("u9", "user")]);
  assert.deepEqual(ids(branchTo(part, null)), ["a9", "u9"]);
});

const shown = (rows: ReturnType<typeof rowsOf>): string[] => rows.map((row) => (row.kind === "message" ? String(row.message.id) : row.kind));

test("a message that is sent stands at the end, and its reply after it", () => {
  assert.deepEqual(shown(rowsOf(branchTo(tree, "a1"), [pending({ anchor: "a1", user: "Hi" })])), ["u1", "a1", "sent", "reply"]);
});

test("another reply stands in the place of the one that is there", () => {
  assert.deepEqual(shown(rowsOf(branchTo(tree, "a1"), [pending({ kind: "regenerate", anchor: "u1", userMessageId: "u1" })])), ["u1", "reply"]);
});

test("an edit leaves out what followed the message", () => {
  assert.deepEqual(shown(rowsOf(branchTo(tree, "u2"), [pending({ kind: "edit", anchor: "a2", user: "No" })])), ["u1", "a2", "sent", "reply"]);
});

test("a reply stands before the messages that wait for it", () => {
  const branch = [said("u1", "user"), said("u2", "user")];
  const both = [pending({ key: "1", userMessageId: "u1" }), pending({ key: "2", userMessageId: "u2" })];
  assert.deepEqual(shown(rowsOf(branch, both)), ["u1", "reply", "u2", "reply"]);
});
