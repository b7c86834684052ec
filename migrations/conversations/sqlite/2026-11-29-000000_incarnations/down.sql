-- Which conversation a turn belongs to is then told by its number alone, as before.
ALTER TABLE conversations DROP COLUMN incarnation;
