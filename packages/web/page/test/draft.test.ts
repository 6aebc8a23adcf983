import assert from "node:assert/strict";
import { test } from "node:test";

import { changesOf, type Draft, draftOf, EMPTY, isEmpty, merged } from "../src/people/draft.ts";

const BASE: Draft = draftOf({ name: "Rin", description: "A drummer.", tags: ["idol", "drums"], alternate_greetings: ["Yo."], visibility: "private" });

test("only what was changed is sent, in the server's form", () => {
  const draft: Draft = { ...BASE, tags: "idol、 night ,,", nickname: " ", model: "mock/echo ", alternate_greetings: ["Yo.", "  "], scenario: "On a roof." };

  assert.deepEqual(changesOf(BASE, BASE), {});
  assert.deepEqual(changesOf(BASE, draft), {
    nickname: null, model: "mock/echo", scenario: "On a roof.", tags: ["idol", "night"], alternate_greetings: ["Yo."],
  });
});

test("of two versions, what one alone changed is taken, and what both changed is asked about", () => {
  const mine: Draft = { ...BASE, description: "Mine.", scenario: "Both.", personality: "Loud." };
  const theirs: Draft = { ...BASE, description: "Theirs.", scenario: "Both.", alternate_greetings: ["Hi."] };
  const { draft, conflicts } = merged(BASE, mine, theirs);

  assert.deepEqual(conflicts, ["description"]);
  assert.deepEqual(draft, { ...BASE, description: "Mine.", scenario: "Both.", personality: "Loud.", alternate_greetings: ["Hi."] });
});

test("without a change of mine, theirs is the result", () => {
  const theirs: Draft = { ...BASE, name: "Ren", tags: "" };

  assert.deepEqual(merged(BASE, BASE, theirs), { draft: theirs, conflicts: [] });
});

test("a form that nobody wrote in is empty", () => {
  assert.ok(isEmpty(EMPTY));
  assert.ok(!isEmpty(BASE));
});
