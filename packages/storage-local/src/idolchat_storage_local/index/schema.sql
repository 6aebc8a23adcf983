-- Derived from the documents; another user_version is rebuilt from them, never migrated.
BEGIN IMMEDIATE;

CREATE TABLE IF NOT EXISTS conversations (
    id TEXT PRIMARY KEY,
    place TEXT NOT NULL,
    form TEXT NOT NULL,
    length INTEGER NOT NULL,
    body_end INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    message_count INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    user_id TEXT,
    character_id TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    problem TEXT,
    group_ids TEXT
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS conversations_newest ON conversations (updated_at, id);
CREATE INDEX IF NOT EXISTS conversations_of_user ON conversations (user_id, updated_at, id);
CREATE INDEX IF NOT EXISTS conversations_of_character ON conversations (character_id, updated_at, id);
CREATE INDEX IF NOT EXISTS conversations_of_groups ON conversations (updated_at, id) WHERE group_ids IS NOT NULL;
CREATE INDEX IF NOT EXISTS conversations_by_place ON conversations (place);

-- A turn id stands in the messages of one conversation.
CREATE TABLE IF NOT EXISTS turns (
    turn_id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS turns_of ON turns (conversation_id);

-- Where the line of the message at a position begins, in bytes.
CREATE TABLE IF NOT EXISTS marks (
    conversation_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    start INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, position)
) WITHOUT ROWID;

-- What changed, and how often, since search looked at it: its own index is brought up to date when somebody searches.
CREATE TABLE IF NOT EXISTS stale (
    id TEXT PRIMARY KEY,
    changes INTEGER NOT NULL
) WITHOUT ROWID;

-- How the folders were when all of this was last as they are, and in which run of the machine that was.
CREATE TABLE IF NOT EXISTS looked (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

PRAGMA user_version = 6;
COMMIT;
