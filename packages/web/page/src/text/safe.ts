/** Text of strangers: models, cards, memories. */

/**
 * Characters that change the direction of what stands around them, or hide text: overrides and embeddings (U+202A to
 * U+202E), isolates, and the tags of plane 14. Each block is isolated by itself, so that nothing needs them.
 */
const TRICKS = /[\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/gu;

export function plain(text: string): string {
  return text.replace(TRICKS, "");
}

const SCHEMES = new Set(["http:", "https:", "mailto:"]);

/** An address that may be a link; undefined for any that could do something. */
export function safeAddress(href: string): string | undefined {
  try {
    const url = new URL(href);
    return SCHEMES.has(url.protocol) ? url.href : undefined;
  } catch {
    return undefined;
  }
}
