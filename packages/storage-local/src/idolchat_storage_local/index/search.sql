-- Derived from the documents; another user_version is made anew from them, never migrated.
BEGIN IMMEDIATE;

-- What is known here of a conversation: its messages up to the byte body_end, before which stands what has the fingerprint.
CREATE TABLE IF NOT EXISTS conversations (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    message_count INTEGER NOT NULL,
    body_end INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    user_id TEXT,
    character_id TEXT,
    group_ids TEXT
);

-- A place is a time in microseconds times 1024, and something to tell messages of the same time apart.
-- Those of conversation 0 are gone, and their words are still in the index.
CREATE TABLE IF NOT EXISTS messages (
    place INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    position INTEGER NOT NULL
);

CREATE INDEX IF NOT EXISTS messages_of ON messages (conversation, position);

-- The words of the message at a place: tokens made by idolchat_core.search, so nothing is left to tokenize.
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5 (words, content = '', columnsize = 0, tokenize = 'ascii');

PRAGMA user_version = 3;
COMMIT;
