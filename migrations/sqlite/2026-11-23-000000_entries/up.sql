CREATE TABLE entries (
    key BLOB NOT NULL PRIMARY KEY,
    record BLOB NOT NULL,
    size_bytes BIGINT NOT NULL,
    stored_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL
);

-- The sweep asks for what has expired.
CREATE INDEX entries_by_expiry ON entries (expires_at_ms);

-- Eviction asks for the oldest; the sum of sizes is read from the index alone.
CREATE INDEX entries_by_age ON entries (stored_at_ms, size_bytes);

CREATE TABLE secrets (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
);
