DROP INDEX entries_by_labels;
ALTER TABLE entries DROP COLUMN labels;
ALTER TABLE entries DROP COLUMN generation;
DROP TABLE purges;
