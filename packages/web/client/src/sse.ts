/** Server-sent events, as the WHATWG's HTML standard has them. */

export interface ServerSentEvent {
  id: string | undefined;
  event: string;
  data: string;
}

/** Read the events of a response's body. Ends where the body ends; throws what reading it throws. */
export async function* serverSentEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  let fields = new Fields();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return; // an event without its empty line was cut, and is dropped
      rest += value;
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line) fields.add(line);
        else {
          const event = fields.event();
          fields = new Fields();
          if (event) yield event;
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined); // it is broken already
  }
}

class Fields {
  #id: string | undefined;
  #event = "message";
  #data: string[] = [];

  add(line: string): void {
    const colon = line.indexOf(":");
    if (colon === 0) return; // a comment: the heartbeat
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#data.push(value);
    else if (name === "id") this.#id = value;
    else if (name === "event") this.#event = value;
  }

  event(): ServerSentEvent | undefined {
    return this.#data.length ? { id: this.#id, event: this.#event, data: this.#data.join("\n") } : undefined;
  }
}
