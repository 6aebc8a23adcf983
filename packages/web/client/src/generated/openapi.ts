// Made by `nox -s web -- --write` from the server's own description. Not to be edited.

export interface paths {
    "/chat": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a message and wait for the reply
         * @description `messages` are the new ones; the stored history of `conversation_id` is put before them. Without `conversation_id`, or
         *     with one not seen before, a conversation begins. A `system` message serves this turn only. Any other field of an
         *     OpenRouter request goes to the provider unchanged. With `stream` the reply is that of `/chat/stream`.
         */
        post: operations["chat"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/chat/stream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a message and read the reply as it is made
         * @description `messages` are the new ones; the stored history of `conversation_id` is put before them. Without `conversation_id`, or
         *     with one not seen before, a conversation begins. A `system` message serves this turn only. Any other field of an
         *     OpenRouter request goes to the provider unchanged. The events are OpenAI's `chat.completion.chunk` objects, then `[DONE]`: the reply is on disk. What goes wrong in the turn is a last chunk with `error` and `finish_reason` `error`.
         */
        post: operations["chat_stream"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/conversation/{conversation_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Conversation
         * @description Read a conversation: the stored document, or a page of its messages, the newest last.
         *
         *     A page has besides `total`, the number of messages there are, `has_more`, whether there are older ones, and `next`,
         *     the `before` of the page of those. A conversation that can be read only in part has `"status": "damaged"`.
         *
         *     The `ETag` is another one after every change of the conversation, whoever made it: send it as `If-None-Match` to
         *     read only what has changed, and as `If-Match` to change or delete only what you have read.
         */
        get: operations["get_conversation_conversation__conversation_id__get"];
        put?: never;
        post?: never;
        /**
         * Delete Conversation
         * @description Delete a conversation for good, everywhere it is stored; turns that run in it are stopped.
         *
         *     With `If-Match` only while it has that ETag, and no turn runs in it.
         */
        delete: operations["delete_conversation_conversation__conversation_id__delete"];
        options?: never;
        head?: never;
        /**
         * Choose Branch
         * @description Continue another branch, the one that ends with the message `head`, or have others answer by `next_speaker`.
         *
         *     The reply has the new `ETag`.
         */
        patch: operations["choose_branch_conversation__conversation_id__patch"];
        trace?: never;
    };
    "/conversation/{conversation_id}/fork": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Fork Conversation
         * @description Start a new conversation with the messages of the active branch, up to `message_id` where it is given.
         */
        post: operations["fork_conversation_conversation__conversation_id__fork_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/conversation/{conversation_id}/messages/{message_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Delete One Message
         * @description Delete one message for good; its place stays.
         *
         *     The document then holds `{"id", "role", "content": null, "timestamp", "deleted_at"}` there, and what follows it
         *     stays where it is. Its text goes from the storage, its copies and its index, and from the mirrors as soon as they
         *     can be reached; it is in no later prompt. A reply that continues another one is a message of its own.
         */
        delete: operations["delete_one_message_conversation__conversation_id__messages__message_id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/conversation/{conversation_id}/messages/{message_id}/continue": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Have the model go on with a reply
         * @description The whole of it, the text that was there and what is added, stands beside the old reply and names it in `continues`. The completion has the whole; the events of a stream carry what is added. It must be a reply to the last message of the active branch.
         */
        post: operations["continue"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/conversation/{conversation_id}/messages/{message_id}/edit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Put another message where one is, and answer it
         * @description What was there, and all that follows it, stays on a branch of its own.
         */
        post: operations["edit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/conversation/{conversation_id}/messages/{message_id}/rewrite": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Rewrite Message
         * @description Put another content where a user's message or a reply is, without an answer.
         *
         *     The new message stands beside the old one, on a branch of its own that is the active one; what follows the old one
         *     stays with that. The reply is the new message. Roles that the caller may not send are refused here, too.
         */
        post: operations["rewrite_message_conversation__conversation_id__messages__message_id__rewrite_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/conversation/{conversation_id}/regenerate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Answer the last message once more
         * @description The reply that it has stays, on a branch of its own.
         */
        post: operations["regenerate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/conversation/{conversation_id}/window": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Measure Window
         * @description Tell how full the context window is, what was cut off the history, and which summary stands for that.
         *
         *     It is that of the next turn, before its message, for the model that answers a turn which names none; the model is
         *     not asked. Nothing that is cut leaves the conversation.
         */
        get: operations["measure_window_conversation__conversation_id__window_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/conversations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Conversations
         * @description List conversations, the last changed one first; damaged ones are marked.
         *
         *     A user's token lists that user's, and refuses another `user_id`.
         */
        get: operations["list_conversations_conversations_get"];
        put?: never;
        /**
         * Begin Conversation
         * @description Begin a conversation. A character who is known begins it with her greeting; the reply is the new document.
         *
         *     Alternates of the greeting stand beside it, and a `PATCH` of the conversation's `head` chooses one. With an
         *     `Idempotency-Key`, sending twice begins one conversation. `character_id` is an id or a slug; `character_ids` name
         *     several, of whom the first greets; a `persona_id` says whom the user plays.
         */
        post: operations["begin_conversation_conversations_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/conversations/search": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Search Conversations
         * @description Find messages by what was said, the newest first.
         *
         *     `matches` are the ranges of the `snippet` that match, in characters. A user's token searches that user's.
         */
        get: operations["search_conversations_conversations_search_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Health
         * @description Report the health of the server and its parts; 503 when the storage cannot take a write.
         */
        get: operations["get_health_health_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/livez": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Liveness
         * @description Report that the process is alive.
         */
        get: operations["get_liveness_livez_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Models
         * @description List the models that requests may name.
         */
        get: operations["list_models_models_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Readiness
         * @description Report whether the server takes requests: 503 while stopping, and when a part needs an operator.
         *
         *     A provider that is away for a while is no reason: requests are told so, and another replica would fare no better.
         */
        get: operations["get_readiness_readyz_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/turns/{turn_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Turn
         * @description Read a turn: its state, the text so far, and its usage once it has ended.
         */
        get: operations["get_turn_turns__turn_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/turns/{turn_id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel Turn
         * @description Stop a turn and keep the text so far; a turn that has ended stays as it is.
         */
        post: operations["cancel_turn_turns__turn_id__cancel_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/turns/{turn_id}/prompt": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Explain Prompt
         * @description Explain a turn's prompt: what each source gave, what was left out and why, how much was as in the one before.
         *
         *     It holds no text. 410 when it is no longer kept, or the prompt is not built yet.
         */
        get: operations["explain_prompt_turns__turn_id__prompt_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/turns/{turn_id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Answer the message of a turn that did not complete once more
         * @description As a new turn, run as it was before, or as the body says. Asked again, it gives the same new turn.
         */
        post: operations["retry_turn"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/turns/{turn_id}/stream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a turn's events
         * @description From the start, or those after the last one that you have; the same bytes for every reader. 410 when the events are no longer kept: the messages are in the conversation.
         */
        get: operations["follow_turn"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * BackgroundHealth
         * @description The work beside requests: saving, copying to mirrors, telling observers; which of it fails, and how.
         */
        BackgroundHealth: {
            /** Failing */
            failing?: {
                [key: string]: string;
            } | null;
            /**
             * Status
             * @enum {string}
             */
            status: "ok" | "failing";
        };
        /**
         * Changes
         * @description What is to change of a conversation: the last message of the branch to continue, or who answers next.
         */
        Changes: {
            /**
             * Head
             * @default null
             */
            head?: string | null;
            /** @default null */
            next_speaker?: components["schemas"]["NextSpeaker"] | null;
        };
        /**
         * ContextWindow
         * @description What the next prompt of a conversation would hold if it were built now; all tokens are estimates.
         */
        ContextWindow: {
            /**
             * Begins With
             * @description the first message of the conversation in it; null without any
             */
            begins_with: string | null;
            /**
             * Conversation Id
             * Format: uuid
             */
            conversation_id: string;
            /**
             * Free Tokens
             * @description how much longer the history can grow before its beginning is cut
             */
            free_tokens: number;
            /**
             * History Messages
             * @description how many these are
             */
            history_messages: number;
            /**
             * History Tokens
             * @description of the messages of the conversation in it
             */
            history_tokens: number;
            /**
             * Is Cut
             * @description whether older messages of the branch are left out
             */
            is_cut: boolean;
            /**
             * Left Out Messages
             * @description messages of the document before that one, of all branches
             */
            left_out_messages: number;
            /**
             * Model
             * @description of a turn that names none; null where the provider's account decides
             */
            model: string | null;
            /**
             * Prompt Tokens
             * @description of the whole prompt
             */
            prompt_tokens: number;
            /**
             * Reply Tokens
             * @description of these, kept free for the reply
             */
            reply_tokens: number;
            /**
             * Reserved Tokens
             * @description of these, kept free for what varies from turn to turn
             */
            reserved_tokens: number;
            /** @description what stands for the messages that are left out, where something does */
            summary?: components["schemas"]["ExplainedPart"] | null;
            /**
             * Window Tokens
             * @description what the model can read, prompt and reply together
             */
            window_tokens: number;
        };
        /**
         * Conversation
         * @description A series of messages between one user and one character, or several, oldest first: the stored document.
         *
         *     With several, ``character_ids`` are theirs, the first of them ``character_id``, and ``next_speaker`` says who of
         *     them answers (see ``NextSpeaker``).
         *     ``persona_id`` is whom the user plays. ``head`` is the last message of the active branch where that is not simply
         *     the last message; ``forked_from`` is the conversation that this one began as a copy of.
         *     ``status`` is ``damaged`` when the stored bytes could be read only in part; a document that says so itself is
         *     not believed, and what else it says there is kept like any unknown field.
         */
        Conversation: {
            /**
             * Character Id
             * @default null
             */
            character_id?: string | null;
            /**
             * Character Ids
             * @default null
             */
            character_ids?: (string)[] | null;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /**
             * Forked From
             * @default null
             */
            forked_from?: string | null;
            /**
             * Head
             * @default null
             */
            head?: string | null;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /**
             * Messages
             * @default []
             */
            messages?: components["schemas"]["Message"][];
            /**
             * Next Speaker
             * @default null
             */
            next_speaker?: string | null;
            /**
             * Persona Id
             * @default null
             */
            persona_id?: string | null;
            /**
             * Status
             * @default null
             */
            status?: string | null;
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
            /**
             * User Id
             * @default null
             */
            user_id?: string | null;
        } & {
            [key: string]: unknown;
        };
        /**
         * ConversationPage
         * @description Conversations, newest first; ``next`` is the ``before`` of the following page, null at the end.
         */
        ConversationPage: {
            /** Data */
            data: components["schemas"]["ConversationSummary"][];
            /** Has More */
            has_more: boolean;
            /** Next */
            next: string | null;
        };
        /**
         * ConversationSummary
         * @description One line of a list of conversations; ``character_ids`` as in the document, null where there is one character.
         */
        ConversationSummary: {
            /** Character Id */
            character_id?: string | null;
            /** Character Ids */
            character_ids?: (string)[] | null;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /** Message Count */
            message_count: number;
            /**
             * Status
             * @default ok
             * @enum {string}
             */
            status?: "ok" | "damaged";
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
            /** User Id */
            user_id?: string | null;
        };
        /**
         * ErrorDetail
         * @description The error. A failed turn adds its ``turn_id``, by which it can be retried, and its ``conversation_id``.
         */
        ErrorDetail: {
            /** Code */
            code: string;
            /** Message */
            message: string;
            /**
             * Param
             * @default null
             */
            param?: string | null;
            /** Request Id */
            request_id: string;
            /** Type */
            type: string;
        } & {
            [key: string]: unknown;
        };
        /**
         * ErrorEnvelope
         * @description The body of every error reply.
         */
        ErrorEnvelope: {
            error: components["schemas"]["ErrorDetail"];
        };
        /**
         * ExplainedPart
         * @description A part that a source gave, without its text.
         */
        ExplainedPart: {
            /** Included */
            included: boolean;
            /**
             * Key
             * @description its name in that source: an entry of a book, a message id
             */
            key: string;
            /**
             * Reason
             * @description why it was left out, or moved
             */
            reason?: string | null;
            /** Role */
            role: string;
            /**
             * Slot
             * @description where it stands, in the order of the prompt
             */
            slot: string;
            /**
             * Source
             * @description who gave it: `core`, `request`, or a plugin's source
             */
            source: string;
            /**
             * Stability
             * @description `conversation`, `cut` or `turn`: how long it stays as it is
             */
            stability: string;
            /**
             * Tokens
             * @description as estimated
             */
            tokens: number;
            /**
             * Why
             * @description what brought it here, as its source says
             * @default {}
             */
            why?: {
                [key: string]: unknown;
            };
        };
        /**
         * ForkPoint
         * @description The last message of the new conversation; by default that of the active branch.
         */
        ForkPoint: {
            /**
             * Message Id
             * @default null
             */
            message_id?: string | null;
        };
        /**
         * Health
         * @description ``degraded`` when a part does not work; status 503 when the storage cannot take writes.
         *
         *     Where there is a login, only its operators (a key without a user, or with the scope admin) are told more.
         */
        Health: {
            background?: components["schemas"]["BackgroundHealth"] | null;
            llm?: components["schemas"]["PartHealth"] | null;
            mirror?: components["schemas"]["MirrorHealth"] | null;
            /**
             * Status
             * @enum {string}
             */
            status: "ok" | "degraded";
            storage?: components["schemas"]["PartHealth"] | null;
            /** Version */
            version?: string | null;
        };
        /**
         * Liveness
         * @description The process is alive.
         */
        Liveness: {
            /**
             * Status
             * @default ok
             * @constant
             */
            status?: "ok";
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
         * MirrorHealth
         * @description How far the mirrors are behind: conversations still to be copied, and the age of the oldest change.
         *
         *     ``conflicts`` are conversations that a mirror holds otherwise, and that are left as they are.
         */
        MirrorHealth: {
            /** Conflicts */
            conflicts?: number | null;
            /**
             * Lag S
             * @default 0
             */
            lag_s?: number;
            /** Mirrors */
            mirrors?: components["schemas"]["PartHealth"][] | null;
            /**
             * Pending
             * @default 0
             */
            pending?: number;
        };
        /**
         * Model
         * @description A model. ``created`` is always 0: providers do not say, and OpenAI's clients expect a number.
         */
        Model: {
            /** Context Length */
            context_length?: number | null;
            /**
             * Created
             * @default 0
             */
            created?: number;
            /** Id */
            id: string;
            /** Max Output Tokens */
            max_output_tokens?: number | null;
            /** Name */
            name?: string | null;
            /**
             * Object
             * @default model
             * @constant
             */
            object?: "model";
            /** Owned By */
            owned_by: string;
        };
        /**
         * ModelList
         * @description The models of the provider; ``default`` answers requests that name none.
         */
        ModelList: {
            /** Data */
            data: components["schemas"]["Model"][];
            /** Default */
            default?: string | null;
            /**
             * Object
             * @default list
             * @constant
             */
            object?: "list";
        };
        /**
         * NewContent
         * @description What a message is to say: text, or OpenAI content parts.
         */
        NewContent: {
            /** Content */
            content: string | {
                [key: string]: unknown;
            }[];
        };
        /**
         * NewConversation
         * @description Who is to talk with whom.
         *
         *     ``character_id`` is a character's id or slug, and ``character_ids`` are those of several, of whom the first greets
         *     and ``next_speaker`` says who answers. ``persona_id`` is whom the user plays. ``id`` is for clients that make ids
         *     themselves. Without ``greeting`` the conversation begins empty.
         */
        NewConversation: {
            /**
             * Character Id
             * @default null
             */
            character_id?: string | null;
            /**
             * Character Ids
             * @default null
             */
            character_ids?: (string)[] | null;
            /**
             * Greeting
             * @default true
             */
            greeting?: boolean;
            /**
             * Id
             * @default null
             */
            id?: string | null;
            /** @default null */
            next_speaker?: components["schemas"]["NextSpeaker"] | null;
            /**
             * Persona Id
             * @default null
             */
            persona_id?: string | null;
            /**
             * User Id
             * @default null
             */
            user_id?: string | null;
        };
        /**
         * NewMessage
         * @description A message as a client sends it, in the form of the OpenAI chat completions API.
         */
        NewMessage: {
            /**
             * Content
             * @default null
             */
            content?: string | {
                [key: string]: unknown;
            }[] | null;
            /**
             * Role
             * @enum {string}
             */
            role: "system" | "developer" | "user" | "assistant" | "tool";
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
        } & {
            [key: string]: unknown;
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
        /**
         * PartHealth
         * @description One part: ``status`` is ``ok``, ``unavailable`` (it may come back by itself) or ``error`` (somebody must act).
         */
        PartHealth: {
            /** Code */
            code?: string | null;
            /** Message */
            message?: string | null;
            /** Name */
            name: string;
            /**
             * Status
             * @enum {string}
             */
            status: "ok" | "unavailable" | "error";
        };
        /**
         * PromptExplanation
         * @description The prompt of one turn. It holds no text of anybody's.
         *
         *     ``shared_tokens`` of ``tokens`` equal the beginning of the prompt before, which a provider's cache need not read
         *     again; null where the prompt before is not known.
         */
        PromptExplanation: {
            /**
             * Conversation Id
             * Format: uuid
             */
            conversation_id: string;
            /**
             * Failures
             * @description sources whose parts are missing, each with why
             * @default {}
             */
            failures?: {
                [key: string]: string;
            };
            /**
             * History Messages
             * @description messages of the conversation in the prompt
             */
            history_messages: number;
            /**
             * Left Out Messages
             * @description older messages of the document that are not
             */
            left_out_messages: number;
            /**
             * Made At
             * Format: date-time
             */
            made_at: string;
            /** Model */
            model?: string | null;
            /** Parts */
            parts: components["schemas"]["ExplainedPart"][];
            /** Shared Tokens */
            shared_tokens?: number | null;
            /**
             * Tokens
             * @description of the whole prompt, as estimated
             */
            tokens: number;
            /**
             * Turn Id
             * Format: uuid
             */
            turn_id: string;
            /** User Id */
            user_id?: string | null;
            /**
             * Window Tokens
             * @description what the model can read, prompt and reply together
             */
            window_tokens: number;
        };
        /**
         * Readiness
         * @description Whether the server takes requests; the parts are shown to operators only, as in ``Health``.
         */
        Readiness: {
            llm?: components["schemas"]["PartHealth"] | null;
            /**
             * Status
             * @enum {string}
             */
            status: "ready" | "stopping" | "not_ready";
            storage?: components["schemas"]["PartHealth"] | null;
        };
        /**
         * SearchHit
         * @description A message that matches: where it is, and what is shown of it.
         *
         *     ``position`` counts from 0 in its conversation. ``matches`` are the ranges of ``snippet`` that
         *     match, in characters.
         */
        SearchHit: {
            /** Character Id */
            character_id?: string | null;
            /**
             * Conversation Id
             * Format: uuid
             */
            conversation_id: string;
            /** Matches */
            matches: [
                number,
                number
            ][];
            /** Message Id */
            message_id: string;
            /** Position */
            position: number;
            /** Role */
            role: string;
            /** Snippet */
            snippet: string;
            /**
             * Timestamp
             * Format: date-time
             */
            timestamp: string;
            /** User Id */
            user_id?: string | null;
        };
        /**
         * SearchResults
         * @description Messages that match, newest first; ``next`` is the ``before`` of the following page, null at the end.
         */
        SearchResults: {
            /** Data */
            data: components["schemas"]["SearchHit"][];
            /** Next */
            next?: string | null;
        };
        /**
         * TurnOptions
         * @description How a turn is to be run; ``next_character_id`` names who answers, where a conversation has several characters.
         *
         *     Fields that are not named here (``temperature``, ``tools``, ``provider``, ...) are in ``options`` and go to the
         *     provider unchanged.
         */
        TurnOptions: {
            /**
             * Model
             * @default null
             */
            model?: string | null;
            /**
             * Next Character Id
             * @default null
             */
            next_character_id?: string | null;
            /** @default enqueue */
            on_busy?: components["schemas"]["OnBusy"];
            /** @default continue */
            on_disconnect?: components["schemas"]["OnDisconnect"];
            /**
             * Stream
             * @default false
             */
            stream?: boolean;
        } & {
            [key: string]: unknown;
        };
        /**
         * TurnRequest
         * @description One turn: the new messages, where they belong, and any other field of a chat completions request.
         *
         *     ``messages`` are the new ones, oldest first; a client may also send the whole history again. Where the last is a
         *     text of the assistant, the turn continues it. With ``greeting`` a conversation that begins here begins with the
         *     greeting of its character, if she has one and no message is the assistant's.
         */
        TurnRequest: {
            /**
             * Character Id
             * @default null
             */
            character_id?: string | null;
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
            /** Messages */
            messages: components["schemas"]["NewMessage"][];
            /**
             * Model
             * @default null
             */
            model?: string | null;
            /**
             * Next Character Id
             * @default null
             */
            next_character_id?: string | null;
            /** @default enqueue */
            on_busy?: components["schemas"]["OnBusy"];
            /** @default continue */
            on_disconnect?: components["schemas"]["OnDisconnect"];
            /**
             * Stream
             * @default false
             */
            stream?: boolean;
            /**
             * User Id
             * @default null
             */
            user_id?: string | null;
        } & {
            [key: string]: unknown;
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
         * TurnStatus
         * @description A turn as it stands now; ``content`` is the text so far, ``last_seq`` None where the events are gone.
         */
        TurnStatus: {
            /**
             * Content
             * @default
             */
            content?: string;
            /**
             * Conversation Id
             * Format: uuid
             */
            conversation_id: string;
            /** Error */
            error?: {
                [key: string]: unknown;
            } | null;
            /** Last Seq */
            last_seq?: number | null;
            /** Message Id */
            message_id?: string | null;
            /** Model */
            model?: string | null;
            state: components["schemas"]["TurnState"];
            /**
             * Turn Id
             * Format: uuid
             */
            turn_id: string;
            usage?: components["schemas"]["Usage"] | null;
            /** User Message Id */
            user_message_id?: string | null;
        };
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
export interface operations {
    chat: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A string in quotes, of 1 to 255 characters, that makes sending twice safe (IETF draft-07).
                 * @example "8e03978e-40d5-43dd-bc93-6894a57f9324"
                 */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "messages": [
                 *         {
                 *           "content": "Hello! What did you do today?",
                 *           "role": "user"
                 *         }
                 *       ],
                 *       "model": "openai/gpt-5-mini",
                 *       "temperature": 0.8
                 *     }
                 */
                "application/json": components["schemas"]["TurnRequest"];
            };
        };
        responses: {
            /** @description The reply, which is on disk; its events with `stream`. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "choices": [
                     *         {
                     *           "finish_reason": "stop",
                     *           "index": 0,
                     *           "logprobs": null,
                     *           "message": {
                     *             "content": "I practised a new song!",
                     *             "role": "assistant"
                     *           }
                     *         }
                     *       ],
                     *       "conversation_id": "0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f",
                     *       "created": 1764100000,
                     *       "id": "chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32",
                     *       "message_id": "0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b",
                     *       "model": "openai/gpt-5-mini",
                     *       "object": "chat.completion",
                     *       "turn_id": "0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32",
                     *       "usage": {
                     *         "completion_tokens": 6,
                     *         "cost": 0.0000198,
                     *         "prompt_tokens": 31,
                     *         "total_tokens": 37
                     *       },
                     *       "user_message_id": "0199a1f0-5c1f-7b0c-a6d1-7e2f8a9b0c1d"
                     *     }
                     */
                    "application/json": {
                        choices: {
                            /** @description The provider's word, or `cancelled`. */
                            finish_reason?: string;
                            index?: number;
                            /** @description `role`, `content`, `tool_calls`, `reasoning`, ... */
                            message?: Record<string, never>;
                        }[];
                        /** Format: uuid */
                        conversation_id: string;
                        /** @description Unix time in seconds. */
                        created: number;
                        id: string;
                        message_id?: string | null;
                        model: string;
                        /** @constant */
                        object: "chat.completion";
                        /** Format: uuid */
                        turn_id: string;
                        /** @description As OpenAI names it, with the provider's `cost`. */
                        usage?: Record<string, never> | null;
                        user_message_id: string;
                    };
                    /**
                     * @example retry: 2000
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:0
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","conversation_id":"0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f","turn_id":"0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"user_message_id":"0199a1f0-5c1f-7b0c-a6d1-7e2f8a9b0c1d"}
                     *
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:1
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","choices":[{"index":0,"delta":{"content":"I practised a new song!"},"finish_reason":null}]}
                     *
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:2
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","conversation_id":"0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f","turn_id":"0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":31,"completion_tokens":6,"total_tokens":37},"message_id":"0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b","state":"completed"}
                     *
                     *     data: [DONE]
                     */
                    "text/event-stream": unknown;
                };
            };
            /** @description `malformed_request`: The request cannot be read at all: broken JSON, a malformed header. `context_length_exceeded`: The prompt and the reply do not fit the model's context window. `request_refused`: The provider will not answer this request: malformed for it, or against its content policy. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `payment_required`: The provider account has no credit left. */
            402: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `model_not_found`: The provider does not know, or no longer serves, this model. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `conversation_mismatch`: The request names another user or character than the conversation has; ``param`` says which. `conversation_busy`: A turn is running in this conversation and ``on_busy`` is ``reject``. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `body_too_large`: The body is larger than the server reads. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unsupported_media_type`: The body is not JSON, or is encoded. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. `idempotency_key_reused`: The idempotency key was used before with another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `queue_full`: Too many turns wait in this conversation, or run in this server. `rate_limit_exceeded`: Too much was asked for in too short a time; ``quotas`` are the limits as they stand, see ``spending.quotas``. `insufficient_quota`: A budget for a day or a month is used up. `rate_limited`: The provider wants fewer requests; ``retry_after_s`` is when it said to come back, in seconds. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. `conversation_damaged`: The stored bytes cannot be read in full, so nothing may be written over them. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `provider_unavailable`: The provider cannot be reached, or failed on its side; the same request may succeed later. `reply_cut`: The reply ended without saying that it was finished. `provider_not_authorized`: The provider refuses our credentials. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `shutting_down`: The server is stopping and takes no new turns. `spending_stopped`: Somebody has stopped all spending: no provider is called until it is resumed. `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `provider_timeout`: The provider was silent for too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    chat_stream: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A string in quotes, of 1 to 255 characters, that makes sending twice safe (IETF draft-07).
                 * @example "8e03978e-40d5-43dd-bc93-6894a57f9324"
                 */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "messages": [
                 *         {
                 *           "content": "Hello! What did you do today?",
                 *           "role": "user"
                 *         }
                 *       ],
                 *       "model": "openai/gpt-5-mini",
                 *       "temperature": 0.8
                 *     }
                 */
                "application/json": components["schemas"]["TurnRequest"];
            };
        };
        responses: {
            /** @description The turn's events. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example retry: 2000
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:0
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","conversation_id":"0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f","turn_id":"0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"user_message_id":"0199a1f0-5c1f-7b0c-a6d1-7e2f8a9b0c1d"}
                     *
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:1
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","choices":[{"index":0,"delta":{"content":"I practised a new song!"},"finish_reason":null}]}
                     *
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:2
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","conversation_id":"0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f","turn_id":"0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":31,"completion_tokens":6,"total_tokens":37},"message_id":"0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b","state":"completed"}
                     *
                     *     data: [DONE]
                     */
                    "text/event-stream": unknown;
                };
            };
            /** @description `malformed_request`: The request cannot be read at all: broken JSON, a malformed header. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `conversation_mismatch`: The request names another user or character than the conversation has; ``param`` says which. `conversation_busy`: A turn is running in this conversation and ``on_busy`` is ``reject``. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `body_too_large`: The body is larger than the server reads. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unsupported_media_type`: The body is not JSON, or is encoded. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. `idempotency_key_reused`: The idempotency key was used before with another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `queue_full`: Too many turns wait in this conversation, or run in this server. `rate_limit_exceeded`: Too much was asked for in too short a time; ``quotas`` are the limits as they stand, see ``spending.quotas``. `insufficient_quota`: A budget for a day or a month is used up. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. `conversation_damaged`: The stored bytes cannot be read in full, so nothing may be written over them. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `shutting_down`: The server is stopping and takes no new turns. `spending_stopped`: Somebody has stopped all spending: no provider is called until it is resumed. `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    get_conversation_conversation__conversation_id__get: {
        parameters: {
            query?: {
                /** @description How many messages; without it, all. */
                limit?: number | null;
                /** @description `next` of the page that you have, for the page before it. */
                before?: number | null;
            };
            header?: never;
            path: {
                conversation_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description As asked. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "created_at": "2025-11-25T19:46:40Z",
                     *       "id": "0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f",
                     *       "messages": [
                     *         {
                     *           "content": "Hello! What did you do today?",
                     *           "id": "0199a1f0-5c1f-7b0c-a6d1-7e2f8a9b0c1d",
                     *           "role": "user",
                     *           "timestamp": "2025-11-25T19:46:40Z",
                     *           "turn_id": "0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32"
                     *         },
                     *         {
                     *           "content": "I practised a new song!",
                     *           "finish_reason": "stop",
                     *           "id": "0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b",
                     *           "model": "openai/gpt-5-mini",
                     *           "role": "assistant",
                     *           "timestamp": "2025-11-25T19:46:41Z",
                     *           "turn_id": "0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32",
                     *           "usage": {
                     *             "cost": 0.0000198,
                     *             "input_tokens": 31,
                     *             "output_tokens": 6
                     *           }
                     *         }
                     *       ],
                     *       "updated_at": "2025-11-25T19:46:41Z"
                     *     }
                     */
                    "application/json": unknown;
                };
            };
            /** @description `If-None-Match` names the ETag that the conversation still has. */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `conversation_not_found`: No conversation with this id: the store answered, and knows that it is not there. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. `conversation_damaged`: The stored bytes cannot be read in full, so nothing may be written over them. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    delete_conversation_conversation__conversation_id__delete: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The ETag of the conversation as it was read: where it has another one, nothing is changed.
                 * @example "2a.5f1.185d9c"
                 */
                "If-Match"?: string;
            };
            path: {
                conversation_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `conversation_not_found`: No conversation with this id: the store answered, and knows that it is not there. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `conversation_busy`: A turn is running in this conversation and ``on_busy`` is ``reject``. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `revision_mismatch`: The conversation has as many messages as the writer believed, but has been changed since it was read. */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    choose_branch_conversation__conversation_id__patch: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description The ETag of the conversation as it was read: where it has another one, nothing is changed.
                 * @example "2a.5f1.185d9c"
                 */
                "If-Match"?: string;
            };
            path: {
                conversation_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "head": "0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b"
                 *     }
                 */
                "application/json": components["schemas"]["Changes"];
            };
        };
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `malformed_request`: The request cannot be read at all: broken JSON, a malformed header. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `conversation_not_found`: No conversation with this id: the store answered, and knows that it is not there. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `conversation_busy`: A turn is running in this conversation and ``on_busy`` is ``reject``. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `revision_mismatch`: The conversation has as many messages as the writer believed, but has been changed since it was read. */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `body_too_large`: The body is larger than the server reads. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unsupported_media_type`: The body is not JSON, or is encoded. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    fork_conversation_conversation__conversation_id__fork_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                conversation_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": components["schemas"]["ForkPoint"];
            };
        };
        responses: {
            /** @description As asked. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "created_at": "2025-11-25T19:46:40Z",
                     *       "id": "0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f",
                     *       "messages": [
                     *         {
                     *           "content": "Hello! What did you do today?",
                     *           "id": "0199a1f0-5c1f-7b0c-a6d1-7e2f8a9b0c1d",
                     *           "role": "user",
                     *           "timestamp": "2025-11-25T19:46:40Z",
                     *           "turn_id": "0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32"
                     *         },
                     *         {
                     *           "content": "I practised a new song!",
                     *           "finish_reason": "stop",
                     *           "id": "0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b",
                     *           "model": "openai/gpt-5-mini",
                     *           "role": "assistant",
                     *           "timestamp": "2025-11-25T19:46:41Z",
                     *           "turn_id": "0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32",
                     *           "usage": {
                     *             "cost": 0.0000198,
                     *             "input_tokens": 31,
                     *             "output_tokens": 6
                     *           }
                     *         }
                     *       ],
                     *       "updated_at": "2025-11-25T19:46:41Z"
                     *     }
                     */
                    "application/json": unknown;
                };
            };
            /** @description `malformed_request`: The request cannot be read at all: broken JSON, a malformed header. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `conversation_not_found`: No conversation with this id: the store answered, and knows that it is not there. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `body_too_large`: The body is larger than the server reads. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unsupported_media_type`: The body is not JSON, or is encoded. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. `conversation_damaged`: The stored bytes cannot be read in full, so nothing may be written over them. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    delete_one_message_conversation__conversation_id__messages__message_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                conversation_id: string;
                message_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `conversation_not_found`: No conversation with this id: the store answered, and knows that it is not there. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `conversation_busy`: A turn is running in this conversation and ``on_busy`` is ``reject``. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. `conversation_damaged`: The stored bytes cannot be read in full, so nothing may be written over them. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    continue: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                conversation_id: string;
                message_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "max_tokens": 200
                 *     }
                 */
                "application/json": components["schemas"]["TurnOptions"];
            };
        };
        responses: {
            /** @description The reply, which is on disk; its events with `stream`. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "choices": [
                     *         {
                     *           "finish_reason": "stop",
                     *           "index": 0,
                     *           "logprobs": null,
                     *           "message": {
                     *             "content": "I practised a new song!",
                     *             "role": "assistant"
                     *           }
                     *         }
                     *       ],
                     *       "conversation_id": "0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f",
                     *       "created": 1764100000,
                     *       "id": "chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32",
                     *       "message_id": "0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b",
                     *       "model": "openai/gpt-5-mini",
                     *       "object": "chat.completion",
                     *       "turn_id": "0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32",
                     *       "usage": {
                     *         "completion_tokens": 6,
                     *         "cost": 0.0000198,
                     *         "prompt_tokens": 31,
                     *         "total_tokens": 37
                     *       },
                     *       "user_message_id": "0199a1f0-5c1f-7b0c-a6d1-7e2f8a9b0c1d"
                     *     }
                     */
                    "application/json": {
                        choices: {
                            /** @description The provider's word, or `cancelled`. */
                            finish_reason?: string;
                            index?: number;
                            /** @description `role`, `content`, `tool_calls`, `reasoning`, ... */
                            message?: Record<string, never>;
                        }[];
                        /** Format: uuid */
                        conversation_id: string;
                        /** @description Unix time in seconds. */
                        created: number;
                        id: string;
                        message_id?: string | null;
                        model: string;
                        /** @constant */
                        object: "chat.completion";
                        /** Format: uuid */
                        turn_id: string;
                        /** @description As OpenAI names it, with the provider's `cost`. */
                        usage?: Record<string, never> | null;
                        user_message_id: string;
                    };
                    /**
                     * @example retry: 2000
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:0
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","conversation_id":"0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f","turn_id":"0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"user_message_id":"0199a1f0-5c1f-7b0c-a6d1-7e2f8a9b0c1d"}
                     *
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:1
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","choices":[{"index":0,"delta":{"content":"I practised a new song!"},"finish_reason":null}]}
                     *
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:2
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","conversation_id":"0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f","turn_id":"0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":31,"completion_tokens":6,"total_tokens":37},"message_id":"0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b","state":"completed"}
                     *
                     *     data: [DONE]
                     */
                    "text/event-stream": unknown;
                };
            };
            /** @description `malformed_request`: The request cannot be read at all: broken JSON, a malformed header. `context_length_exceeded`: The prompt and the reply do not fit the model's context window. `request_refused`: The provider will not answer this request: malformed for it, or against its content policy. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `payment_required`: The provider account has no credit left. */
            402: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `model_not_found`: The provider does not know, or no longer serves, this model. `conversation_not_found`: No conversation with this id: the store answered, and knows that it is not there. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `conversation_mismatch`: The request names another user or character than the conversation has; ``param`` says which. `conversation_busy`: A turn is running in this conversation and ``on_busy`` is ``reject``. `turn_not_retryable`: The turn did not fail, or the conversation has moved on since. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `body_too_large`: The body is larger than the server reads. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unsupported_media_type`: The body is not JSON, or is encoded. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. `idempotency_key_reused`: The idempotency key was used before with another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `queue_full`: Too many turns wait in this conversation, or run in this server. `rate_limit_exceeded`: Too much was asked for in too short a time; ``quotas`` are the limits as they stand, see ``spending.quotas``. `insufficient_quota`: A budget for a day or a month is used up. `rate_limited`: The provider wants fewer requests; ``retry_after_s`` is when it said to come back, in seconds. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. `conversation_damaged`: The stored bytes cannot be read in full, so nothing may be written over them. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `provider_unavailable`: The provider cannot be reached, or failed on its side; the same request may succeed later. `reply_cut`: The reply ended without saying that it was finished. `provider_not_authorized`: The provider refuses our credentials. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `shutting_down`: The server is stopping and takes no new turns. `spending_stopped`: Somebody has stopped all spending: no provider is called until it is resumed. `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `provider_timeout`: The provider was silent for too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    edit: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A string in quotes, of 1 to 255 characters, that makes sending twice safe (IETF draft-07).
                 * @example "8e03978e-40d5-43dd-bc93-6894a57f9324"
                 */
                "Idempotency-Key"?: string;
                /**
                 * @description The ETag of the conversation as it was read: where it has another one, nothing is changed.
                 * @example "2a.5f1.185d9c"
                 */
                "If-Match"?: string;
            };
            path: {
                conversation_id: string;
                message_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "messages": [
                 *         {
                 *           "content": "Hello! What did you do today?",
                 *           "role": "user"
                 *         }
                 *       ],
                 *       "model": "openai/gpt-5-mini",
                 *       "temperature": 0.8
                 *     }
                 */
                "application/json": components["schemas"]["TurnRequest"];
            };
        };
        responses: {
            /** @description The reply, which is on disk; its events with `stream`. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "choices": [
                     *         {
                     *           "finish_reason": "stop",
                     *           "index": 0,
                     *           "logprobs": null,
                     *           "message": {
                     *             "content": "I practised a new song!",
                     *             "role": "assistant"
                     *           }
                     *         }
                     *       ],
                     *       "conversation_id": "0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f",
                     *       "created": 1764100000,
                     *       "id": "chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32",
                     *       "message_id": "0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b",
                     *       "model": "openai/gpt-5-mini",
                     *       "object": "chat.completion",
                     *       "turn_id": "0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32",
                     *       "usage": {
                     *         "completion_tokens": 6,
                     *         "cost": 0.0000198,
                     *         "prompt_tokens": 31,
                     *         "total_tokens": 37
                     *       },
                     *       "user_message_id": "0199a1f0-5c1f-7b0c-a6d1-7e2f8a9b0c1d"
                     *     }
                     */
                    "application/json": {
                        choices: {
                            /** @description The provider's word, or `cancelled`. */
                            finish_reason?: string;
                            index?: number;
                            /** @description `role`, `content`, `tool_calls`, `reasoning`, ... */
                            message?: Record<string, never>;
                        }[];
                        /** Format: uuid */
                        conversation_id: string;
                        /** @description Unix time in seconds. */
                        created: number;
                        id: string;
                        message_id?: string | null;
                        model: string;
                        /** @constant */
                        object: "chat.completion";
                        /** Format: uuid */
                        turn_id: string;
                        /** @description As OpenAI names it, with the provider's `cost`. */
                        usage?: Record<string, never> | null;
                        user_message_id: string;
                    };
                    /**
                     * @example retry: 2000
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:0
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","conversation_id":"0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f","turn_id":"0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"user_message_id":"0199a1f0-5c1f-7b0c-a6d1-7e2f8a9b0c1d"}
                     *
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:1
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","choices":[{"index":0,"delta":{"content":"I practised a new song!"},"finish_reason":null}]}
                     *
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:2
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","conversation_id":"0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f","turn_id":"0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":31,"completion_tokens":6,"total_tokens":37},"message_id":"0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b","state":"completed"}
                     *
                     *     data: [DONE]
                     */
                    "text/event-stream": unknown;
                };
            };
            /** @description `malformed_request`: The request cannot be read at all: broken JSON, a malformed header. `context_length_exceeded`: The prompt and the reply do not fit the model's context window. `request_refused`: The provider will not answer this request: malformed for it, or against its content policy. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `payment_required`: The provider account has no credit left. */
            402: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `model_not_found`: The provider does not know, or no longer serves, this model. `conversation_not_found`: No conversation with this id: the store answered, and knows that it is not there. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `conversation_mismatch`: The request names another user or character than the conversation has; ``param`` says which. `conversation_busy`: A turn is running in this conversation and ``on_busy`` is ``reject``. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `revision_mismatch`: The conversation has as many messages as the writer believed, but has been changed since it was read. */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `body_too_large`: The body is larger than the server reads. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unsupported_media_type`: The body is not JSON, or is encoded. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. `idempotency_key_reused`: The idempotency key was used before with another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `queue_full`: Too many turns wait in this conversation, or run in this server. `rate_limit_exceeded`: Too much was asked for in too short a time; ``quotas`` are the limits as they stand, see ``spending.quotas``. `insufficient_quota`: A budget for a day or a month is used up. `rate_limited`: The provider wants fewer requests; ``retry_after_s`` is when it said to come back, in seconds. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. `conversation_damaged`: The stored bytes cannot be read in full, so nothing may be written over them. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `provider_unavailable`: The provider cannot be reached, or failed on its side; the same request may succeed later. `reply_cut`: The reply ended without saying that it was finished. `provider_not_authorized`: The provider refuses our credentials. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `shutting_down`: The server is stopping and takes no new turns. `spending_stopped`: Somebody has stopped all spending: no provider is called until it is resumed. `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `provider_timeout`: The provider was silent for too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    rewrite_message_conversation__conversation_id__messages__message_id__rewrite_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                conversation_id: string;
                message_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "content": "Sing the *other* song, please."
                 *     }
                 */
                "application/json": components["schemas"]["NewContent"];
            };
        };
        responses: {
            /** @description As asked. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "content": "Hello! What did you do today?",
                     *       "id": "0199a1f0-5c1f-7b0c-a6d1-7e2f8a9b0c1d",
                     *       "role": "user",
                     *       "timestamp": "2025-11-25T19:46:40Z",
                     *       "turn_id": "0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32"
                     *     }
                     */
                    "application/json": unknown;
                };
            };
            /** @description `malformed_request`: The request cannot be read at all: broken JSON, a malformed header. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `conversation_not_found`: No conversation with this id: the store answered, and knows that it is not there. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `conversation_busy`: A turn is running in this conversation and ``on_busy`` is ``reject``. `storage_conflict`: The conversation, or the record, is not as the writer believed; read it again. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `body_too_large`: The body is larger than the server reads. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unsupported_media_type`: The body is not JSON, or is encoded. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. `conversation_damaged`: The stored bytes cannot be read in full, so nothing may be written over them. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    regenerate: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                conversation_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "temperature": 1.1
                 *     }
                 */
                "application/json": components["schemas"]["TurnOptions"];
            };
        };
        responses: {
            /** @description The reply, which is on disk; its events with `stream`. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "choices": [
                     *         {
                     *           "finish_reason": "stop",
                     *           "index": 0,
                     *           "logprobs": null,
                     *           "message": {
                     *             "content": "I practised a new song!",
                     *             "role": "assistant"
                     *           }
                     *         }
                     *       ],
                     *       "conversation_id": "0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f",
                     *       "created": 1764100000,
                     *       "id": "chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32",
                     *       "message_id": "0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b",
                     *       "model": "openai/gpt-5-mini",
                     *       "object": "chat.completion",
                     *       "turn_id": "0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32",
                     *       "usage": {
                     *         "completion_tokens": 6,
                     *         "cost": 0.0000198,
                     *         "prompt_tokens": 31,
                     *         "total_tokens": 37
                     *       },
                     *       "user_message_id": "0199a1f0-5c1f-7b0c-a6d1-7e2f8a9b0c1d"
                     *     }
                     */
                    "application/json": {
                        choices: {
                            /** @description The provider's word, or `cancelled`. */
                            finish_reason?: string;
                            index?: number;
                            /** @description `role`, `content`, `tool_calls`, `reasoning`, ... */
                            message?: Record<string, never>;
                        }[];
                        /** Format: uuid */
                        conversation_id: string;
                        /** @description Unix time in seconds. */
                        created: number;
                        id: string;
                        message_id?: string | null;
                        model: string;
                        /** @constant */
                        object: "chat.completion";
                        /** Format: uuid */
                        turn_id: string;
                        /** @description As OpenAI names it, with the provider's `cost`. */
                        usage?: Record<string, never> | null;
                        user_message_id: string;
                    };
                    /**
                     * @example retry: 2000
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:0
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","conversation_id":"0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f","turn_id":"0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"user_message_id":"0199a1f0-5c1f-7b0c-a6d1-7e2f8a9b0c1d"}
                     *
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:1
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","choices":[{"index":0,"delta":{"content":"I practised a new song!"},"finish_reason":null}]}
                     *
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:2
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","conversation_id":"0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f","turn_id":"0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":31,"completion_tokens":6,"total_tokens":37},"message_id":"0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b","state":"completed"}
                     *
                     *     data: [DONE]
                     */
                    "text/event-stream": unknown;
                };
            };
            /** @description `malformed_request`: The request cannot be read at all: broken JSON, a malformed header. `context_length_exceeded`: The prompt and the reply do not fit the model's context window. `request_refused`: The provider will not answer this request: malformed for it, or against its content policy. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `payment_required`: The provider account has no credit left. */
            402: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `model_not_found`: The provider does not know, or no longer serves, this model. `conversation_not_found`: No conversation with this id: the store answered, and knows that it is not there. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `conversation_mismatch`: The request names another user or character than the conversation has; ``param`` says which. `conversation_busy`: A turn is running in this conversation and ``on_busy`` is ``reject``. `turn_not_retryable`: The turn did not fail, or the conversation has moved on since. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `body_too_large`: The body is larger than the server reads. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unsupported_media_type`: The body is not JSON, or is encoded. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. `idempotency_key_reused`: The idempotency key was used before with another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `queue_full`: Too many turns wait in this conversation, or run in this server. `rate_limit_exceeded`: Too much was asked for in too short a time; ``quotas`` are the limits as they stand, see ``spending.quotas``. `insufficient_quota`: A budget for a day or a month is used up. `rate_limited`: The provider wants fewer requests; ``retry_after_s`` is when it said to come back, in seconds. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. `conversation_damaged`: The stored bytes cannot be read in full, so nothing may be written over them. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `provider_unavailable`: The provider cannot be reached, or failed on its side; the same request may succeed later. `reply_cut`: The reply ended without saying that it was finished. `provider_not_authorized`: The provider refuses our credentials. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `shutting_down`: The server is stopping and takes no new turns. `spending_stopped`: Somebody has stopped all spending: no provider is called until it is resumed. `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `provider_timeout`: The provider was silent for too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    measure_window_conversation__conversation_id__window_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                conversation_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description As asked. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "begins_with": "0199a1f0-5c1f-7b0c-a6d1-7e2f8a9b0c1d",
                     *       "conversation_id": "0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f",
                     *       "free_tokens": 415,
                     *       "history_messages": 61,
                     *       "history_tokens": 4214,
                     *       "is_cut": true,
                     *       "left_out_messages": 120,
                     *       "model": "openai/gpt-5-mini",
                     *       "prompt_tokens": 4630,
                     *       "reply_tokens": 2048,
                     *       "reserved_tokens": 1475,
                     *       "window_tokens": 8192
                     *     }
                     */
                    "application/json": components["schemas"]["ContextWindow"];
                };
            };
            /** @description `context_length_exceeded`: The prompt and the reply do not fit the model's context window. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `conversation_not_found`: No conversation with this id: the store answered, and knows that it is not there. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. `conversation_damaged`: The stored bytes cannot be read in full, so nothing may be written over them. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    list_conversations_conversations_get: {
        parameters: {
            query?: {
                user_id?: string | null;
                character_id?: string | null;
                limit?: number;
                /** @description `next` of the page that you have, for the page after it. */
                before?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description As asked. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "data": [
                     *         {
                     *           "created_at": "2025-11-25T19:46:40Z",
                     *           "id": "0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f",
                     *           "message_count": 2,
                     *           "status": "ok",
                     *           "updated_at": "2025-11-25T19:46:41Z"
                     *         }
                     *       ],
                     *       "has_more": false
                     *     }
                     */
                    "application/json": components["schemas"]["ConversationPage"];
                };
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    begin_conversation_conversations_post: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description A string in quotes, of 1 to 255 characters, that makes sending twice safe (IETF draft-07).
                 * @example "8e03978e-40d5-43dd-bc93-6894a57f9324"
                 */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "character_id": "mika"
                 *     }
                 */
                "application/json": components["schemas"]["NewConversation"];
            };
        };
        responses: {
            /** @description As asked. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "character_id": "0199a1ee-7d10-7c4b-8a21-5b6c7d8e9f01",
                     *       "created_at": "2025-11-25T19:46:40Z",
                     *       "id": "0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f",
                     *       "messages": [
                     *         {
                     *           "content": "Hi! I am Mika.",
                     *           "id": "0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b",
                     *           "origin": "greeting",
                     *           "role": "assistant",
                     *           "timestamp": "2025-11-25T19:46:40Z"
                     *         }
                     *       ],
                     *       "updated_at": "2025-11-25T19:46:40Z"
                     *     }
                     */
                    "application/json": unknown;
                };
            };
            /** @description `malformed_request`: The request cannot be read at all: broken JSON, a malformed header. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `not_found`: There is nothing with this id, or it is another user's. `conversation_not_found`: No conversation with this id: the store answered, and knows that it is not there. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `conversation_exists`: ``create`` was asked for an id that is taken. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `body_too_large`: The body is larger than the server reads. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unsupported_media_type`: The body is not JSON, or is encoded. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. `idempotency_key_reused`: The idempotency key was used before with another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. `conversation_damaged`: The stored bytes cannot be read in full, so nothing may be written over them. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    search_conversations_conversations_search_get: {
        parameters: {
            query: {
                /** @description Words, `begin*` and `"phrases"`, all of which must match. */
                text: string;
                user_id?: string | null;
                character_id?: string | null;
                limit?: number;
                /** @description `next` of the page that you have, for the page after it. */
                before?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description As asked. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "data": [
                     *         {
                     *           "conversation_id": "0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f",
                     *           "matches": [
                     *             [
                     *               18,
                     *               22
                     *             ]
                     *           ],
                     *           "message_id": "0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b",
                     *           "position": 1,
                     *           "role": "assistant",
                     *           "snippet": "I practised a new song!",
                     *           "timestamp": "2025-11-25T19:46:41Z"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["SearchResults"];
                };
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. `invalid_request`: A field is missing, malformed or refused. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    get_health_health_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description As asked. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "background": {
                     *         "status": "ok"
                     *       },
                     *       "llm": {
                     *         "name": "openrouter",
                     *         "status": "ok"
                     *       },
                     *       "mirror": {
                     *         "lag_s": 0,
                     *         "pending": 0
                     *       },
                     *       "status": "ok",
                     *       "storage": {
                     *         "name": "local",
                     *         "status": "ok"
                     *       },
                     *       "version": "0.1.0"
                     *     }
                     */
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description The storage cannot take a write. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "background": {
                     *         "status": "ok"
                     *       },
                     *       "llm": {
                     *         "name": "openrouter",
                     *         "status": "ok"
                     *       },
                     *       "mirror": {
                     *         "lag_s": 0,
                     *         "pending": 0
                     *       },
                     *       "status": "degraded",
                     *       "storage": {
                     *         "code": "storage_unavailable",
                     *         "message": "the disk is full",
                     *         "name": "local",
                     *         "status": "unavailable"
                     *       },
                     *       "version": "0.1.0"
                     *     }
                     */
                    "application/json": unknown;
                };
            };
        };
    };
    get_liveness_livez_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description As asked. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "status": "ok"
                     *     }
                     */
                    "application/json": components["schemas"]["Liveness"];
                };
            };
        };
    };
    list_models_models_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description As asked. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "data": [
                     *         {
                     *           "context_length": 400000,
                     *           "created": 0,
                     *           "id": "openai/gpt-5-mini",
                     *           "max_output_tokens": 128000,
                     *           "name": "OpenAI: GPT-5 Mini",
                     *           "object": "model",
                     *           "owned_by": "openrouter"
                     *         }
                     *       ],
                     *       "default": "openai/gpt-5-mini",
                     *       "object": "list"
                     *     }
                     */
                    "application/json": components["schemas"]["ModelList"];
                };
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `rate_limited`: The provider wants fewer requests; ``retry_after_s`` is when it said to come back, in seconds. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `provider_unavailable`: The provider cannot be reached, or failed on its side; the same request may succeed later. `provider_not_authorized`: The provider refuses our credentials. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `provider_timeout`: The provider was silent for too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    get_readiness_readyz_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description As asked. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "llm": {
                     *         "name": "openrouter",
                     *         "status": "ok"
                     *       },
                     *       "status": "ready",
                     *       "storage": {
                     *         "name": "local",
                     *         "status": "ok"
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Readiness"];
                };
            };
            /** @description Not now: the server is stopping, or a part needs somebody's hand. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "llm": {
                     *         "name": "openrouter",
                     *         "status": "ok"
                     *       },
                     *       "status": "not_ready",
                     *       "storage": {
                     *         "code": "storage_unavailable",
                     *         "message": "the disk is full",
                     *         "name": "local",
                     *         "status": "unavailable"
                     *       }
                     *     }
                     */
                    "application/json": unknown;
                };
            };
        };
    };
    get_turn_turns__turn_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                turn_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description As asked. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "content": "I practised a",
                     *       "conversation_id": "0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f",
                     *       "last_seq": 3,
                     *       "model": "openai/gpt-5-mini",
                     *       "state": "running",
                     *       "turn_id": "0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32",
                     *       "user_message_id": "0199a1f0-5c1f-7b0c-a6d1-7e2f8a9b0c1d"
                     *     }
                     */
                    "application/json": components["schemas"]["TurnStatus"];
                };
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `turn_not_found`: No turn with this id. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    cancel_turn_turns__turn_id__cancel_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                turn_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description As asked. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "content": "I practised a",
                     *       "conversation_id": "0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f",
                     *       "last_seq": 3,
                     *       "model": "openai/gpt-5-mini",
                     *       "state": "running",
                     *       "turn_id": "0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32",
                     *       "user_message_id": "0199a1f0-5c1f-7b0c-a6d1-7e2f8a9b0c1d"
                     *     }
                     */
                    "application/json": components["schemas"]["TurnStatus"];
                };
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `turn_not_found`: No turn with this id. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    explain_prompt_turns__turn_id__prompt_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                turn_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description As asked. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "conversation_id": "0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f",
                     *       "failures": {},
                     *       "history_messages": 12,
                     *       "left_out_messages": 0,
                     *       "made_at": "2025-11-25T19:46:40Z",
                     *       "model": "openai/gpt-5-mini",
                     *       "parts": [
                     *         {
                     *           "included": true,
                     *           "key": "system_prompt",
                     *           "role": "system",
                     *           "slot": "system",
                     *           "source": "core",
                     *           "stability": "conversation",
                     *           "tokens": 41,
                     *           "why": {}
                     *         }
                     *       ],
                     *       "shared_tokens": 1802,
                     *       "tokens": 2143,
                     *       "turn_id": "0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32",
                     *       "window_tokens": 131072
                     *     }
                     */
                    "application/json": components["schemas"]["PromptExplanation"];
                };
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `turn_not_found`: No turn with this id. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `turn_expired`: The turn is over and its events are no longer kept; its messages are in the conversation. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    retry_turn: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                turn_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "stream": true
                 *     }
                 */
                "application/json": components["schemas"]["TurnOptions"];
            };
        };
        responses: {
            /** @description The reply, which is on disk; its events with `stream`. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "choices": [
                     *         {
                     *           "finish_reason": "stop",
                     *           "index": 0,
                     *           "logprobs": null,
                     *           "message": {
                     *             "content": "I practised a new song!",
                     *             "role": "assistant"
                     *           }
                     *         }
                     *       ],
                     *       "conversation_id": "0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f",
                     *       "created": 1764100000,
                     *       "id": "chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32",
                     *       "message_id": "0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b",
                     *       "model": "openai/gpt-5-mini",
                     *       "object": "chat.completion",
                     *       "turn_id": "0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32",
                     *       "usage": {
                     *         "completion_tokens": 6,
                     *         "cost": 0.0000198,
                     *         "prompt_tokens": 31,
                     *         "total_tokens": 37
                     *       },
                     *       "user_message_id": "0199a1f0-5c1f-7b0c-a6d1-7e2f8a9b0c1d"
                     *     }
                     */
                    "application/json": {
                        choices: {
                            /** @description The provider's word, or `cancelled`. */
                            finish_reason?: string;
                            index?: number;
                            /** @description `role`, `content`, `tool_calls`, `reasoning`, ... */
                            message?: Record<string, never>;
                        }[];
                        /** Format: uuid */
                        conversation_id: string;
                        /** @description Unix time in seconds. */
                        created: number;
                        id: string;
                        message_id?: string | null;
                        model: string;
                        /** @constant */
                        object: "chat.completion";
                        /** Format: uuid */
                        turn_id: string;
                        /** @description As OpenAI names it, with the provider's `cost`. */
                        usage?: Record<string, never> | null;
                        user_message_id: string;
                    };
                    /**
                     * @example retry: 2000
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:0
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","conversation_id":"0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f","turn_id":"0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"user_message_id":"0199a1f0-5c1f-7b0c-a6d1-7e2f8a9b0c1d"}
                     *
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:1
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","choices":[{"index":0,"delta":{"content":"I practised a new song!"},"finish_reason":null}]}
                     *
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:2
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","conversation_id":"0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f","turn_id":"0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":31,"completion_tokens":6,"total_tokens":37},"message_id":"0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b","state":"completed"}
                     *
                     *     data: [DONE]
                     */
                    "text/event-stream": unknown;
                };
            };
            /** @description `malformed_request`: The request cannot be read at all: broken JSON, a malformed header. `context_length_exceeded`: The prompt and the reply do not fit the model's context window. `request_refused`: The provider will not answer this request: malformed for it, or against its content policy. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `payment_required`: The provider account has no credit left. */
            402: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `model_not_found`: The provider does not know, or no longer serves, this model. `turn_not_found`: No turn with this id. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `conversation_mismatch`: The request names another user or character than the conversation has; ``param`` says which. `conversation_busy`: A turn is running in this conversation and ``on_busy`` is ``reject``. `turn_not_retryable`: The turn did not fail, or the conversation has moved on since. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `body_too_large`: The body is larger than the server reads. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unsupported_media_type`: The body is not JSON, or is encoded. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. `idempotency_key_reused`: The idempotency key was used before with another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `queue_full`: Too many turns wait in this conversation, or run in this server. `rate_limit_exceeded`: Too much was asked for in too short a time; ``quotas`` are the limits as they stand, see ``spending.quotas``. `insufficient_quota`: A budget for a day or a month is used up. `rate_limited`: The provider wants fewer requests; ``retry_after_s`` is when it said to come back, in seconds. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. `conversation_damaged`: The stored bytes cannot be read in full, so nothing may be written over them. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `provider_unavailable`: The provider cannot be reached, or failed on its side; the same request may succeed later. `reply_cut`: The reply ended without saying that it was finished. `provider_not_authorized`: The provider refuses our credentials. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `shutting_down`: The server is stopping and takes no new turns. `spending_stopped`: Somebody has stopped all spending: no provider is called until it is resumed. `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `provider_timeout`: The provider was silent for too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    follow_turn: {
        parameters: {
            query?: {
                /** @description The seq of the last event that you have; `Last-Event-ID`, where given, wins. */
                after?: number;
            };
            header?: {
                /** @description The id of the last event that you have: `<turn_id>:<seq>`. */
                "Last-Event-ID"?: string;
            };
            path: {
                turn_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The turn's events. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example retry: 2000
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:0
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","conversation_id":"0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f","turn_id":"0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"user_message_id":"0199a1f0-5c1f-7b0c-a6d1-7e2f8a9b0c1d"}
                     *
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:1
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","choices":[{"index":0,"delta":{"content":"I practised a new song!"},"finish_reason":null}]}
                     *
                     *     id: 0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32:2
                     *     data: {"id":"chatcmpl-0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","object":"chat.completion.chunk","created":1764100000,"model":"openai/gpt-5-mini","conversation_id":"0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f","turn_id":"0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":31,"completion_tokens":6,"total_tokens":37},"message_id":"0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b","state":"completed"}
                     *
                     *     data: [DONE]
                     */
                    "text/event-stream": unknown;
                };
            };
            /** @description The turn is over and you have all of it. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `malformed_request`: The request cannot be read at all: broken JSON, a malformed header. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `unauthenticated`: The request has no token, or an invalid one. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `forbidden`: The caller may not do this. `origin_not_allowed`: A web page of another origin made the request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `turn_not_found`: No turn with this id. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `turn_expired`: The turn is over and its events are no longer kept; its messages are in the conversation. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `host_not_allowed`: The request was made to a name that is not this server's (DNS rebinding). */
            421: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `invalid_request`: A field is missing, malformed or refused. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `internal_error`: The root: its text says what was wanted, what was found, and what to do. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            /** @description `storage_unavailable`: The store cannot be reached, read or written now: disk full, I/O error, outage, bad credentials. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
}
