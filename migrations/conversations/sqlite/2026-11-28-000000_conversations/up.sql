-- One row a conversation: how many turns it has, and until when it is kept.
CREATE TABLE conversations (
    id BLOB NOT NULL PRIMARY KEY,
    turns BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    system_messages BLOB NOT NULL,
    expires_at_ms BIGINT NOT NULL
);
CREATE INDEX conversations_by_expiry ON conversations (expires_at_ms);

-- One row a turn: question and answer are written together or not at all.
CREATE TABLE conversation_turns (
    conversation BLOB NOT NULL,
    number BIGINT NOT NULL,
    messages BIGINT NOT NULL,
    opens BIGINT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (conversation, number)
);
