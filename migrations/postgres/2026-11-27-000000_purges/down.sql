ALTER TABLE entries DROP COLUMN labels;
ALTER TABLE entries DROP COLUMN generation;
DROP TABLE purges;
