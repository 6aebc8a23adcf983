// Made by `nox -s web -- --write` from the server's own description. Not to be edited.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** AuthRequest */
        AuthRequest: {
            /**
             * Token
             * @default null
             */
            token: string | null;
            /** @constant */
            type: "auth";
        };
        /**
         * Authenticated
         * @description The token is good, until `expires_at` where it says so.
         */
        Authenticated: {
            /** Expires At */
            expires_at: string | null;
            /**
             * Type
             * @constant
             */
            type: "authenticated";
            /** User Id */
            user_id: string | null;
        };
        /** CancelRequest */
        CancelRequest: {
            /**
             * Turn Id
             * @default null
             */
            turn_id?: string | null;
            /** @constant */
            type: "cancel";
        };
        /**
         * Cancelled
         * @description The turn was stopped; what had been said is on disk. Without `seq` for one that is not followed here.
         */
        Cancelled: {
            /**
             * Conversation Id
             * Format: uuid
             */
            conversation_id: string;
            /** @default null */
            message?: components["schemas"]["Message"] | null;
            /**
             * Seq
             * @default null
             */
            seq?: number | null;
            /**
             * Turn Id
             * Format: uuid
             */
            turn_id: string;
            /**
             * Type
             * @constant
             */
            type: "cancelled";
            /** @default null */
            usage?: components["schemas"]["Usage"] | null;
        };
        /** ChunkDelta */
        ChunkDelta: {
            /**
             * Content
             * @default null
             */
            content?: string | null;
        } & {
            [key: string]: unknown;
        };
        /** ContinueRequest */
        ContinueRequest: {
            /**
             * Client Message Id
             * @default null
             */
            client_message_id?: string | null;
            /**
             * Conversation Id
             * @default null
             */
            conversation_id?: string | null;
            /**
             * Message Id
             * @default null
             */
            message_id: string | null;
            /**
             * Model
             * @default null
             */
            model?: string | null;
            /** @default enqueue */
            on_busy?: components["schemas"]["OnBusy"];
            /** @default continue */
            on_disconnect?: components["schemas"]["OnDisconnect"];
            /** Options */
            options?: {
                [key: string]: unknown;
            };
            /**
             * Traceparent
             * @default null
             */
            traceparent?: string | null;
            /** @constant */
            type: "continue";
        };
        /**
         * ConversationStarted
         * @description Messages that name no conversation belong to this one from now on.
         */
        ConversationStarted: {
            /**
             * Alternates
             * @description Other greetings, which stand beside it.
             * @default []
             */
            alternates?: components["schemas"]["Message"][];
            /** Character Id */
            character_id: string | null;
            /**
             * Conversation Id
             * Format: uuid
             */
            conversation_id: string;
            /**
             * @description The greeting that the conversation begins with.
             * @default null
             */
            message?: components["schemas"]["Message"] | null;
            /**
             * Type
             * @constant
             */
            type: "conversation_started";
            /** User Id */
            user_id: string | null;
        };
        /** DeltaChoice */
        DeltaChoice: {
            delta: components["schemas"]["ChunkDelta"];
            /** Finish Reason */
            finish_reason: null;
            /**
             * Index
             * @constant
             */
            index: 0;
        };
        /**
         * DeltaChunk
         * @description A piece of the reply; `delta` has beside `content` what else the model sent.
         */
        DeltaChunk: {
            /** Choices */
            choices: [
                components["schemas"]["DeltaChoice"]
            ];
            /**
             * Created
             * @description Unix time in seconds.
             */
            created: number;
            /**
             * Id
             * @description `chatcmpl-<turn_id>`
             */
            id: string;
            /** Model */
            model: string;
            /**
             * Object
             * @constant
             */
            object: "chat.completion.chunk";
        };
        /**
         * DeltaFrame
         * @description A piece of the reply.
         */
        DeltaFrame: {
            /** Content */
            content: string;
            /**
             * Fields
             * @description What else the model sent, such as `reasoning`.
             * @default null
             */
            fields?: {
                [key: string]: unknown;
            } | null;
            /** Seq */
            seq: number;
            /**
             * Turn Id
             * Format: uuid
             */
            turn_id: string;
            /**
             * Type
             * @constant
             */
            type: "delta";
        };
        /**
         * EndChunk
         * @description The turn is over and what is kept of the reply is on disk. `[DONE]` follows.
         */
        EndChunk: {
            /** Choices */
            choices: [
                components["schemas"]["LastChoice"]
            ];
            /**
             * Conversation Id
             * Format: uuid
             */
            conversation_id: string;
            /**
             * Created
             * @description Unix time in seconds.
             */
            created: number;
            /** @default null */
            error?: components["schemas"]["StreamProblem"] | null;
            /**
             * Id
             * @description `chatcmpl-<turn_id>`
             */
            id: string;
            /** Message Id */
            message_id: string | null;
            /** Model */
            model: string;
            /**
             * Object
             * @constant
             */
            object: "chat.completion.chunk";
            state: components["schemas"]["TurnState"];
            /**
             * Turn Id
             * Format: uuid
             */
            turn_id: string;
            /**
             * Usage
             * @description As OpenAI names it.
             */
            usage: {
                [key: string]: unknown;
            } | null;
        };
        /**
         * ErrorFrame
         * @description A frame was refused, or with `seq`, a turn ended without a complete reply.
         *
         *     Decide by `code`. `message_id` is what is stored of the reply.
         */
        ErrorFrame: {
            /**
             * Client Message Id
             * @default null
             */
            client_message_id?: string | null;
            /** Code */
            code: string;
            /**
             * Conversation Id
             * @default null
             */
            conversation_id?: string | null;
            /** Message */
            message: string;
            /**
             * Message Id
             * @default null
             */
            message_id?: string | null;
            /**
             * Param
             * @default null
             */
            param?: string | null;
            /**
             * Retry After S
             * @default null
             */
            retry_after_s?: number | null;
            /**
             * Seq
             * @default null
             */
            seq?: number | null;
            /** @default null */
            state?: components["schemas"]["TurnState"] | null;
            /**
             * Turn Id
             * @default null
             */
            turn_id?: string | null;
            /**
             * Type
             * @constant
             */
            type: "error";
            /** @default null */
            usage?: components["schemas"]["Usage"] | null;
        } & {
            [key: string]: unknown;
        };
        /** FirstChoice */
        FirstChoice: {
            delta: components["schemas"]["FirstDelta"];
            /** Finish Reason */
            finish_reason: null;
            /**
             * Index
             * @constant
             */
            index: 0;
        };
        /** FirstDelta */
        FirstDelta: {
            /**
             * Content
             * @constant
             */
            content: "";
            /**
             * Role
             * @constant
             */
            role: "assistant";
        };
        /** LastChoice */
        LastChoice: {
            delta: components["schemas"]["NoDelta"];
            /**
             * Finish Reason
             * @description The model's, or `cancelled`, or `error`.
             */
            finish_reason: string;
            /**
             * Index
             * @constant
             */
            index: 0;
        };
        /**
         * Message
         * @description One utterance.
         *
         *     ``role`` is ``user``, ``assistant`` or ``tool`` (``system`` is never stored by us). ``content`` is text, or a list
         *     of OpenAI content parts, or null beside ``tool_calls``. ``parent_id`` is given only where the message does not
         *     follow the one before it. ``finish_reason`` of a reply is the provider's (``stop``, ``length``, ``tool_calls``,
         *     ``content_filter``), or ours: ``cancelled``, ``incomplete`` (the provider or the server stopped half-way),
         *     ``interrupted`` (the server died), ``error`` (no reply at all; ``error`` says why). A reply that ``continues``
         *     another holds the text of that one and what the model added. ``origin`` is ``client`` for a reply that a client
         *     wrote, and ``greeting`` for what a character says first. ``character_id`` says who speaks, where there are several.
         *     A message that was deleted keeps its place with ``deleted_at`` and without content: see ``deleted_form``.
         */
        Message: {
            /**
             * Character Id
             * @default null
             */
            character_id?: string | null;
            /**
             * Content
             * @default null
             */
            content?: string | {
                [key: string]: unknown;
            }[] | null;
            /**
             * Continues
             * @default null
             */
            continues?: string | null;
            /**
             * Deleted At
             * @default null
             */
            deleted_at?: string | null;
            /**
             * Error
             * @default null
             */
            error?: {
                [key: string]: unknown;
            } | null;
            /**
             * Finish Reason
             * @default null
             */
            finish_reason?: string | null;
            /** Id */
            id: string;
            /**
             * Idempotency Key
             * @default null
             */
            idempotency_key?: string | null;
            /**
             * Model
             * @default null
             */
            model?: string | null;
            /**
             * Name
             * @default null
             */
            name?: string | null;
            /**
             * Origin
             * @default null
             */
            origin?: string | null;
            /**
             * Parent Id
             * @default null
             */
            parent_id?: string | null;
            /**
             * Request Hash
             * @default null
             */
            request_hash?: string | null;
            /** Role */
            role: string;
            /**
             * Timestamp
             * Format: date-time
             */
            timestamp: string;
            /**
             * Tool Call Id
             * @default null
             */
            tool_call_id?: string | null;
            /**
             * Tool Calls
             * @default null
             */
            tool_calls?: {
                [key: string]: unknown;
            }[] | null;
            /**
             * Turn Id
             * @default null
             */
            turn_id?: string | null;
            /** @default null */
            usage?: components["schemas"]["Usage"] | null;
        } & {
            [key: string]: unknown;
        };
        /**
         * MessageFrame
         * @description The reply is complete and on disk; the turn's last event.
         */
        MessageFrame: {
            /**
             * Conversation Id
             * Format: uuid
             */
            conversation_id: string;
            message: components["schemas"]["Message"] | null;
            /** Seq */
            seq: number;
            /**
             * Turn Id
             * Format: uuid
             */
            turn_id: string;
            /**
             * Type
             * @constant
             */
            type: "message";
            usage: components["schemas"]["Usage"] | null;
        };
        /** MessageRequest */
        MessageRequest: {
            /**
             * Character Id
             * @default null
             */
            character_id?: string | null;
            /**
             * Client Message Id
             * @default null
             */
            client_message_id?: string | null;
            /**
             * Conversation Id
             * @default null
             */
            conversation_id?: string | null;
            /**
             * Greeting
             * @default true
             */
            greeting?: boolean;
            /**
             * Message
             * @default null
             */
            message: string | {
                [key: string]: unknown;
            }[] | null;
            /**
             * Model
             * @default null
             */
            model?: string | null;
            /** @default enqueue */
            on_busy?: components["schemas"]["OnBusy"];
            /** @default continue */
            on_disconnect?: components["schemas"]["OnDisconnect"];
            /** Options */
            options?: {
                [key: string]: unknown;
            };
            /**
             * Traceparent
             * @default null
             */
            traceparent?: string | null;
            /** @constant */
            type: "message";
            /**
             * User Id
             * @default null
             */
            user_id?: string | null;
        };
        /**
         * NextSpeaker
         * @description Who answers where a request names nobody.
         *
         *     ``in_turn``: one after the other, as the conversation lists them. ``mention``: whom the user names, else in turn.
         *     ``talkativeness``: whom the user names, else by lot, each with the weight of her talkativeness.
         * @enum {string}
         */
        NextSpeaker: "in_turn" | "mention" | "talkativeness";
        /** NoDelta */
        NoDelta: Record<string, never>;
        /**
         * OnBusy
         * @description What to do when a turn is running in the conversation already.
         *
         *     ``enqueue`` waits for it; ``reject`` raises ``ConversationBusy``; ``interrupt`` stops it and keeps what was said;
         *     ``rollback`` stops it and takes it back, the user's message too.
         * @enum {string}
         */
        OnBusy: "enqueue" | "reject" | "interrupt" | "rollback";
        /**
         * OnDisconnect
         * @description What to do when the last reader of a turn leaves before its end.
         * @enum {string}
         */
        OnDisconnect: "continue" | "cancel";
        /** PingRequest */
        PingRequest: {
            /** @constant */
            type: "ping";
        };
        /**
         * Pong
         * @description The answer to `ping`.
         */
        Pong: {
            /**
             * Type
             * @constant
             */
            type: "pong";
        };
        /**
         * ProblemChunk
         * @description The stream ends here, and not the turn: it has no event id to go on from.
         */
        ProblemChunk: {
            /** Choices */
            choices: unknown[];
            /**
             * Conversation Id
             * @default null
             */
            conversation_id?: string | null;
            error: components["schemas"]["StreamProblem"];
            /**
             * Object
             * @constant
             */
            object: "chat.completion.chunk";
            /** State */
            state: components["schemas"]["TurnState"] | "unknown";
            /**
             * Turn Id
             * @default null
             */
            turn_id?: string | null;
        };
        /** ResumeRequest */
        ResumeRequest: {
            /**
             * After Seq
             * @default -1
             */
            after_seq?: number;
            /**
             * Turn Id
             * @default null
             */
            turn_id: string | null;
            /** @constant */
            type: "resume";
        };
        /**
         * StartChunk
         * @description The user's message is on disk and the turn exists; the event's id ends in `:0`.
         */
        StartChunk: {
            /** Choices */
            choices: [
                components["schemas"]["FirstChoice"]
            ];
            /**
             * Conversation Id
             * Format: uuid
             */
            conversation_id: string;
            /**
             * Created
             * @description Unix time in seconds.
             */
            created: number;
            /**
             * Id
             * @description `chatcmpl-<turn_id>`
             */
            id: string;
            /** Model */
            model: string;
            /**
             * Object
             * @constant
             */
            object: "chat.completion.chunk";
            /**
             * State
             * @default null
             */
            state?: "queued" | null;
            /**
             * Turn Id
             * Format: uuid
             */
            turn_id: string;
            /**
             * Turns Ahead
             * @default null
             */
            turns_ahead?: number | null;
            /** User Message Id */
            user_message_id: string;
        };
        /** StartConversationRequest */
        StartConversationRequest: {
            /**
             * Character Id
             * @default null
             */
            character_id?: string | null;
            /**
             * Client Message Id
             * @default null
             */
            client_message_id?: string | null;
            /**
             * Conversation Id
             * @default null
             */
            conversation_id?: string | null;
            /**
             * Greeting
             * @default true
             */
            greeting?: boolean;
            /** @constant */
            type: "start_conversation";
            /**
             * User Id
             * @default null
             */
            user_id?: string | null;
        };
        /** StreamProblem */
        StreamProblem: {
            /** Code */
            code: string;
            /** Message */
            message: string;
            /**
             * Param
             * @default null
             */
            param?: string | null;
            /**
             * Retry After S
             * @default null
             */
            retry_after_s?: number | null;
            /** Type */
            type: string;
        } & {
            [key: string]: unknown;
        };
        /**
         * TurnStartedFrame
         * @description The user's message is on disk and the turn exists; always `seq` 0.
         */
        TurnStartedFrame: {
            /**
             * Character Id
             * @description Who answers, where there are several characters.
             * @default null
             */
            character_id?: string | null;
            /**
             * Client Message Id
             * @default null
             */
            client_message_id?: string | null;
            /**
             * Conversation Id
             * Format: uuid
             */
            conversation_id: string;
            /** Model */
            model: string | null;
            /** Seq */
            seq: number;
            /**
             * State
             * @description Where it waits for other turns.
             * @default null
             */
            state?: "queued" | null;
            /**
             * Turn Id
             * Format: uuid
             */
            turn_id: string;
            /**
             * Turns Ahead
             * @default null
             */
            turns_ahead?: number | null;
            /**
             * Type
             * @constant
             */
            type: "turn_started";
            /** User Message Id */
            user_message_id: string;
        };
        /**
         * TurnState
         * @description Where a turn stands; all but the first two are final.
         *
         *     ``failed`` has no reply; ``incomplete`` has part of one, cut by the provider or by our shutting down;
         *     ``cancelled`` was stopped by somebody who may, with what had been said; ``interrupted`` died with the server.
         * @enum {string}
         */
        TurnState: "queued" | "running" | "completed" | "cancelled" | "failed" | "incomplete" | "interrupted";
        /**
         * Usage
         * @description What one completion took, as the provider counted it.
         *
         *     ``cost`` is in the provider's currency (US dollars at OpenRouter). ``cached_tokens`` are those of
         *     ``input_tokens`` that the provider read from its prompt cache; ``reasoning_tokens`` are among ``output_tokens``.
         *     ``is_estimate`` says that we counted, because the reply was cut before the provider told.
         */
        Usage: {
            /**
             * Cached Tokens
             * @default null
             */
            cached_tokens?: number | null;
            /**
             * Cost
             * @default null
             */
            cost?: number | null;
            /**
             * Input Tokens
             * @default 0
             */
            input_tokens?: number;
            /**
             * Is Estimate
             * @default false
             */
            is_estimate?: boolean;
            /**
             * Output Tokens
             * @default 0
             */
            output_tokens?: number;
            /**
             * Reasoning Tokens
             * @default null
             */
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
