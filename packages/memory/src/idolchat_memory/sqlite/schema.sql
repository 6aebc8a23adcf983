-- Derived from the conversations; a file of another version is made anew from them, never migrated.
-- The scope leads every key, so that one scope's rows lie together and no query can begin outside it.
BEGIN IMMEDIATE;

CREATE TABLE scopes (
    number INTEGER PRIMARY KEY,
    user_id TEXT,
    key TEXT NOT NULL UNIQUE,
    message_count INTEGER NOT NULL DEFAULT 0,
    session_count INTEGER NOT NULL DEFAULT 0,
    length INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX scopes_of_user ON scopes (user_id);

CREATE TABLE conversations (
    number INTEGER PRIMARY KEY,
    scope INTEGER NOT NULL,
    id BLOB NOT NULL UNIQUE,
    revision TEXT NOT NULL
);
CREATE INDEX conversations_of_scope ON conversations (scope);

-- Times are microseconds since 1970. Messages: 64 bits for each, as ``traits_of`` of idolchat_core makes them.
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    scope INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    message_count INTEGER NOT NULL,
    length INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    encoded_count INTEGER NOT NULL, -- the first so many messages have vectors
    messages BLOB NOT NULL
);
CREATE INDEX sessions_of_conversation ON sessions (scope, conversation, number);
CREATE INDEX sessions_unencoded ON sessions (number) WHERE encoded_count < message_count;
CREATE INDEX sessions_by_time ON sessions (scope, last_at);

-- The messages of active branches. A place is the number of a session times 4096, and the message's place in the session.
CREATE TABLE messages (
    scope INTEGER NOT NULL,
    place INTEGER NOT NULL,
    message_id BLOB NOT NULL,
    position INTEGER NOT NULL,
    speaker TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (scope, place)
) WITHOUT ROWID;

-- Postings: 64 bits for each message with the term, at most 64 of them, as ``posting_of`` of idolchat_core makes them.
-- The newest are in the block of the highest number.
CREATE TABLE postings (
    scope INTEGER NOT NULL,
    term TEXT NOT NULL,
    block INTEGER NOT NULL,
    postings BLOB NOT NULL,
    PRIMARY KEY (scope, term, block)
) WITHOUT ROWID;

-- With a rowid: of a row without one, what is more than a quarter of a page takes a page of its own, and most vectors are.
CREATE TABLE vectors (
    scope INTEGER NOT NULL,
    place INTEGER NOT NULL,
    tokens BLOB NOT NULL,
    PRIMARY KEY (scope, place)
);

-- The encoding of all vectors.
CREATE TABLE encodings (name TEXT NOT NULL);

COMMIT;
