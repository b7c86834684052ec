CREATE TABLE purges (
    label BIGINT NOT NULL PRIMARY KEY,
    generation BIGINT NOT NULL,
    change BIGINT NOT NULL
);

-- Readers ask for what has changed since they asked last.
CREATE INDEX purges_by_change ON purges (change);

-- The names an entry can be purged by, eight bytes each, and the generation it was made under.
-- Entries from before have none: they leave when their time is over.
ALTER TABLE entries ADD COLUMN generation BIGINT NOT NULL DEFAULT 0;
ALTER TABLE entries ADD COLUMN labels BYTEA NOT NULL DEFAULT '';
