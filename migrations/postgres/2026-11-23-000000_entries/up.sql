CREATE TABLE entries (
    key BYTEA NOT NULL PRIMARY KEY,
    record BYTEA NOT NULL,
    size_bytes BIGINT NOT NULL,
    stored_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL
);

-- Answers are often compressed already: do not try again on each write.
ALTER TABLE entries ALTER COLUMN record SET STORAGE EXTERNAL;

-- The sweep asks for what has expired.
CREATE INDEX entries_by_expiry ON entries (expires_at_ms);

-- Eviction asks for the oldest; the sum of sizes is read from the index alone.
CREATE INDEX entries_by_age ON entries (stored_at_ms, size_bytes);

CREATE TABLE secrets (
    name TEXT NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);
