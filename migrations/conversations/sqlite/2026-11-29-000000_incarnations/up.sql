-- A random number given with the first turn: a conversation that was removed and begun anew under its
-- name is another one. 0 where it was begun before there were such numbers.
ALTER TABLE conversations ADD COLUMN incarnation BIGINT NOT NULL DEFAULT 0;
