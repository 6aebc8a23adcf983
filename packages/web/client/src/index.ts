export { type ClientOptions, type EditOptions, IdolchatClient, type SendOptions, type Token, type TurnOptions } from "./client.ts";
export { ApiError, ConnectionLost, errorFrom, type Problem } from "./errors.ts";
export type { Delta, Ended, Started, TurnEvent, TurnState, Usage } from "./events.ts";
export { newId } from "./ids.ts";
export { ChatSocket, type SocketOptions } from "./socket.ts";
export { type ServerSentEvent, serverSentEvents } from "./sse.ts";
export type * from "./types.ts";
