import { errorFrom } from "@idolchat/client";

/** Have the browser save an answer, under the name that the server gives it. */
export async function saved(response: Response, name: string): Promise<void> {
  if (!response.ok) throw await errorFrom(response);
  const given = /filename\*=UTF-8''([^;]+)/.exec(response.headers.get("content-disposition") ?? "")?.[1];
  save(await response.blob(), given ? decodeURIComponent(given) : name);
}

export function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
