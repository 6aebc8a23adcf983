// Made by `nox -s web -- --write` from the server's own description. Not to be edited.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        AuthRequest: {
            /** @default null */
            token: string | null;
            /** @constant */
            type: "auth";
        };
        Authenticated: {
            expires_at: string | null;
            /** @constant */
            type: "authenticated";
            user_id: string | null;
        };
        CancelRequest: {
            /** @default null */
            turn_id?: string | null;
            /** @constant */
            type: "cancel";
        };
        Cancelled: {
            /** Format: uuid */
            conversation_id: string;
            /** @default null */
            message?: components["schemas"]["Message"] | null;
            /** @default null */
            seq?: number | null;
            /** Format: uuid */
            turn_id: string;
            /** @constant */
            type: "cancelled";
            /** @default null */
            usage?: components["schemas"]["Usage"] | null;
        };
        ChunkDelta: {
            /** @default null */
            content?: string | null;
        } & {
            [key: string]: unknown;
        };
        ContinueRequest: {
            /** @default null */
            client_message_id?: string | null;
            /** @default null */
            conversation_id?: string | null;
            /** @default null */
            message_id: string | null;
            /** @default null */
            model?: string | null;
            /** @default null */
            next_character_id?: string | null;
            /** @default enqueue */
            on_busy?: components["schemas"]["OnBusy"];
            /** @default continue */
            on_disconnect?: components["schemas"]["OnDisconnect"];
            options?: {
                [key: string]: unknown;
            };
            /** @default null */
            traceparent?: string | null;
            /** @constant */
            type: "continue";
        };
        ConversationStarted: {
            /** @default [] */
            alternates?: components["schemas"]["Message"][];
            character_id: string | null;
            /** Format: uuid */
            conversation_id: string;
            /** @default null */
            message?: components["schemas"]["Message"] | null;
            /** @constant */
            type: "conversation_started";
            user_id: string | null;
        };
        DeltaChoice: {
            delta: components["schemas"]["ChunkDelta"];
            finish_reason: null;
            /** @constant */
            index: 0;
        };
        DeltaChunk: {
            choices: [
                components["schemas"]["DeltaChoice"]
            ];
            created: number;
            id: string;
            model: string;
            /** @constant */
            object: "chat.completion.chunk";
        };
        DeltaFrame: {
            content: string;
            /** @default null */
            fields?: {
                [key: string]: unknown;
            } | null;
            seq: number;
            /** Format: uuid */
            turn_id: string;
            /** @constant */
            type: "delta";
        };
        EndChunk: {
            choices: [
                components["schemas"]["LastChoice"]
            ];
            /** Format: uuid */
            conversation_id: string;
            created: number;
            /** @default null */
            error?: components["schemas"]["StreamProblem"] | null;
            id: string;
            message_id: string | null;
            model: string;
            /** @constant */
            object: "chat.completion.chunk";
            state: components["schemas"]["TurnState"];
            /** Format: uuid */
            turn_id: string;
            usage: {
                [key: string]: unknown;
            } | null;
        };
        ErrorFrame: {
            /** @default null */
            client_message_id?: string | null;
            code: string;
            /** @default null */
            conversation_id?: string | null;
            message: string;
            /** @default null */
            message_id?: string | null;
            /** @default null */
            param?: string | null;
            /** @default null */
            retry_after_s?: number | null;
            /** @default null */
            seq?: number | null;
            /** @default null */
            state?: components["schemas"]["TurnState"] | null;
            /** @default null */
            turn_id?: string | null;
            /** @constant */
            type: "error";
            /** @default null */
            usage?: components["schemas"]["Usage"] | null;
        } & {
            [key: string]: unknown;
        };
        FirstChoice: {
            delta: components["schemas"]["FirstDelta"];
            finish_reason: null;
            /** @constant */
            index: 0;
        };
        FirstDelta: {
            /** @constant */
            content: "";
            /** @constant */
            role: "assistant";
        };
        LastChoice: {
            delta: components["schemas"]["NoDelta"];
            finish_reason: string;
            /** @constant */
            index: 0;
        };
        Message: {
            /** @default null */
            character_id?: string | null;
            /** @default null */
            content?: string | {
                [key: string]: unknown;
            }[] | null;
            /** @default null */
            continues?: string | null;
            /** @default null */
            deleted_at?: string | null;
            /** @default null */
            error?: {
                [key: string]: unknown;
            } | null;
            /** @default null */
            finish_reason?: string | null;
            id: string;
            /** @default null */
            idempotency_key?: string | null;
            /** @default null */
            model?: string | null;
            /** @default null */
            name?: string | null;
            /** @default null */
            origin?: string | null;
            /** @default null */
            parent_id?: string | null;
            /** @default null */
            request_hash?: string | null;
            role: string;
            /** Format: date-time */
            timestamp: string;
            /** @default null */
            tool_call_id?: string | null;
            /** @default null */
            tool_calls?: {
                [key: string]: unknown;
            }[] | null;
            /** @default null */
            turn_id?: string | null;
            /** @default null */
            usage?: components["schemas"]["Usage"] | null;
        } & {
            [key: string]: unknown;
        };
        MessageFrame: {
            /** Format: uuid */
            conversation_id: string;
            message: components["schemas"]["Message"] | null;
            seq: number;
            /** Format: uuid */
            turn_id: string;
            /** @constant */
            type: "message";
            usage: components["schemas"]["Usage"] | null;
        };
        MessageRequest: {
            /** @default null */
            character_id?: string | null;
            /** @default null */
            client_message_id?: string | null;
            /** @default null */
            conversation_id?: string | null;
            /** @default true */
            greeting?: boolean;
            /** @default null */
            message: string | {
                [key: string]: unknown;
            }[] | null;
            /** @default null */
            model?: string | null;
            /** @default null */
            next_character_id?: string | null;
            /** @default enqueue */
            on_busy?: components["schemas"]["OnBusy"];
            /** @default continue */
            on_disconnect?: components["schemas"]["OnDisconnect"];
            options?: {
                [key: string]: unknown;
            };
            /** @default null */
            traceparent?: string | null;
            /** @constant */
            type: "message";
            /** @default null */
            user_id?: string | null;
        };
        /** @enum {string} */
        NextSpeaker: "in_turn" | "mention" | "talkativeness";
        NoDelta: Record<string, never>;
        /** @enum {string} */
        OnBusy: "enqueue" | "reject" | "interrupt" | "rollback";
        /** @enum {string} */
        OnDisconnect: "continue" | "cancel";
        PingRequest: {
            /** @constant */
            type: "ping";
        };
        Pong: {
            /** @constant */
            type: "pong";
        };
        ProblemChunk: {
            choices: unknown[];
            /** @default null */
            conversation_id?: string | null;
            error: components["schemas"]["StreamProblem"];
            /** @constant */
            object: "chat.completion.chunk";
            state: components["schemas"]["TurnState"] | "unknown";
            /** @default null */
            turn_id?: string | null;
        };
        ResumeRequest: {
            /** @default -1 */
            after_seq?: number;
            /** @default null */
            turn_id: string | null;
            /** @constant */
            type: "resume";
        };
        StartChunk: {
            choices: [
                components["schemas"]["FirstChoice"]
            ];
            /** Format: uuid */
            conversation_id: string;
            created: number;
            id: string;
            model: string;
            /** @constant */
            object: "chat.completion.chunk";
            /** @default null */
            state?: "queued" | null;
            /** Format: uuid */
            turn_id: string;
            /** @default null */
            turns_ahead?: number | null;
            user_message_id: string;
        };
        StartConversationRequest: {
            /** @default null */
            character_id?: string | null;
            /** @default null */
            character_ids?: (string)[] | null;
            /** @default null */
            client_message_id?: string | null;
            /** @default null */
            conversation_id?: string | null;
            /** @default true */
            greeting?: boolean;
            /** @default null */
            next_speaker?: components["schemas"]["NextSpeaker"] | null;
            /** @default null */
            persona_id?: string | null;
            /** @constant */
            type: "start_conversation";
            /** @default null */
            user_id?: string | null;
        };
        StreamProblem: {
            code: string;
            message: string;
            /** @default null */
            param?: string | null;
            /** @default null */
            retry_after_s?: number | null;
            type: string;
        } & {
            [key: string]: unknown;
        };
        TurnStartedFrame: {
            /** @default null */
            character_id?: string | null;
            /** @default null */
            client_message_id?: string | null;
            /** Format: uuid */
            conversation_id: string;
            model: string | null;
            seq: number;
            /** @default null */
            state?: "queued" | null;
            /** Format: uuid */
            turn_id: string;
            /** @default null */
            turns_ahead?: number | null;
            /** @constant */
            type: "turn_started";
            user_message_id: string;
        };
        /** @enum {string} */
        TurnState: "queued" | "running" | "completed" | "cancelled" | "failed" | "incomplete" | "interrupted";
        Usage: {
            /** @default null */
            cached_tokens?: number | null;
            /** @default null */
            cost?: number | null;
            /** @default 0 */
            input_tokens?: number;
            /** @default false */
            is_estimate?: boolean;
            /** @default 0 */
            output_tokens?: number;
            /** @default null */
            reasoning_tokens?: number | null;
        } & {
            [key: string]: unknown;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
