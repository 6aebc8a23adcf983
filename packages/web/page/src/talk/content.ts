import type { Content, Message } from "@idolchat/client";

export function textOf(content: Content | null | undefined): string {
  if (!content) return "";
  if (typeof content === "string") return content;
  return content.map((part) => (part.type === "text" && typeof part.text === "string" ? part.text : "")).filter(Boolean).join("\n");
}

/** Pictures that are part of the message itself; an address elsewhere is not loaded. */
export function picturesOf(content: Content | null | undefined): string[] {
  if (!content || typeof content === "string") return [];
  return content
    .map((part) => (part.type === "image_url" ? (part.image_url as { url?: string } | undefined)?.url : undefined))
    .filter((url): url is string => /^data:image\/(png|jpeg|webp|gif);base64,/.test(url ?? ""));
}

export function withText(content: Content | null | undefined, text: string): Content {
  if (!content || typeof content === "string") return text;
  const others = content.filter((part) => part.type !== "text");
  return others.length ? [{ type: "text", text }, ...others] : text;
}

export function isReply(message: Message): boolean {
  return message.role === "assistant";
}
