DROP TABLE secrets;
DROP TABLE entries;
