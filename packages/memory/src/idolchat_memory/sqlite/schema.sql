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

-- Times are microseconds since 1970.
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    scope INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    message_count INTEGER NOT NULL,
    length INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    encoded_count INTEGER NOT NULL -- the first so many messages have vectors
);
CREATE INDEX sessions_of_conversation ON sessions (scope, conversation, number);
CREATE INDEX sessions_unencoded ON sessions (number) WHERE encoded_count < message_count;
CREATE INDEX sessions_by_time ON sessions (scope, last_at);

-- Traits: 1 if the character said it, 2 if it ends in a question mark, 4 if the one before it in its session does.

-- The messages of active branches. A place is the number of a session times 4096, and the message's place in the session.
CREATE TABLE messages (
    scope INTEGER NOT NULL,
    place INTEGER NOT NULL,
    message_id BLOB NOT NULL,
    position INTEGER NOT NULL,
    traits INTEGER NOT NULL,
    speaker TEXT NOT NULL,
    said_at INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (scope, place)
) WITHOUT ROWID;

-- Weight: the number of terms of the message times 16, and how often this one is among them, at most 15.
CREATE TABLE postings (
    scope INTEGER NOT NULL,
    term TEXT NOT NULL,
    place INTEGER NOT NULL,
    weight INTEGER NOT NULL,
    PRIMARY KEY (scope, term, place)
) WITHOUT ROWID;

CREATE TABLE vectors (
    scope INTEGER NOT NULL,
    place INTEGER NOT NULL,
    tokens BLOB NOT NULL,
    PRIMARY KEY (scope, place)
) WITHOUT ROWID;

-- The encoding of all vectors.
CREATE TABLE encodings (name TEXT NOT NULL);

COMMIT;
