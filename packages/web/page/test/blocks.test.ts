import assert from "node:assert/strict";
import { test } from "node:test";

import { blocksOf, unmarked } from "../src/text/blocks.ts";
import { plain, safeAddress } from "../src/text/safe.ts";

const MANY = 19_990;
const WORST = {
  brackets: "[".repeat(MANY), links: "[a](".repeat(MANY / 4), stars: "*".repeat(MANY), emphasis: "*a ".repeat(MANY / 3),
  underscores: "_a".repeat(MANY / 2), ticks: "`".repeat(MANY), quotes: "> ".repeat(MANY / 2), lists: "- ".repeat(MANY / 2),
  numbers: "1. ".repeat(MANY / 3), tags: "<a ".repeat(MANY / 3), comments: "<!--".repeat(MANY / 4), pipes: "|".repeat(MANY),
  pictures: "![".repeat(MANY / 2), addresses: "http://a".repeat(MANY / 8), strikes: "~~a ".repeat(MANY / 4), blanks: `${" ".repeat(MANY)}a`,
};

for (const [name, text] of Object.entries(WORST)) {
  test(`a text of nothing but ${name} is read, or shown as it is`, () => {
    const blocks = blocksOf(text);
    assert.ok(blocks === undefined || blocks.map(({ raw }) => raw).join("").trim() === text.trim());
  });
}

test("markdown as models write it is read", () => {
  const text = "# Song\n\n*hums* **la**\n\n- one\n  - two\n\n> quote\n\n```js\nx\n```\n\n|a|b|\n|-|-|\n|1|2|\n";
  assert.deepEqual(blocksOf(text)?.map(({ type }) => type).filter((type) => type !== "space"), ["heading", "paragraph", "list", "blockquote", "code", "table"]);
});

test("a text is shown in one line without its marks", () => {
  assert.equal(unmarked("*The pencil is moving.*\n\n> **Take** your `time`\n\n1. one\n2. 2 * 3_4"), "The pencil is moving. Take your time one 2 * 3_4");
  assert.equal(unmarked("*She laughs, and tur"), "*She laughs, and tur");
  assert.equal(unmarked("[a song](https://example.org) <b>x</b> &amp; ![pic](a.png)"), "a song <b>x</b> &amp; pic");
});

test("quotes in quotes are read while a browser can lay them out", () => {
  assert.ok(blocksOf("> > > deep"));
  assert.equal(blocksOf(`${"> ".repeat(100)}deep`), undefined);
  assert.equal(blocksOf(Array.from({ length: 60 }, (_, depth) => `${"  ".repeat(depth)}- item`).join("\n")), undefined);
});

test("only addresses that lead somewhere are links", () => {
  assert.equal(safeAddress("https://example.com/a b"), "https://example.com/a%20b");
  for (const href of ["javascript:x", "JAVASCRIPT:x", " javascript:x", "java\nscript:x", "data:text/html,x", "vbscript:x", "/here", "blob:x", "file:///etc"]) {
    assert.equal(safeAddress(href), undefined, href);
  }
});

test("characters that turn or hide what stands around them are left out", () => {
  assert.equal(plain("a\u202eb\u2066c\u2069\u{e0041}d"), "abcd");
  assert.equal(plain("שלום 👩‍👩‍👧 \u200f"), "שלום 👩‍👩‍👧 \u200f");
});
