CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE book (title TEXT, year INTEGER, author INTEGER REFERENCES author(id), price REAL);
CREATE INDEX by_year ON book(year);
INSERT INTO author (name) VALUES ('Lovelace'), ('Hopper'), ('Noether');
INSERT INTO book VALUES
  ('Notes', 1843, 1, 12.5), ('The Education of a Computer', 1952, 2, 8.25),
  ('Compiling Routines', 1953, 2, NULL), ('Invariants', 1918, 3, 31), ('Ideals', 1921, 3, 27.75);
SELECT name, count(*), round(avg(price), 3), group_concat(title, '; ')
  FROM book JOIN author ON author.id = book.author GROUP BY name ORDER BY name;
BEGIN; DELETE FROM book; ROLLBACK;
WITH RECURSIVE fibonacci(n, a, b) AS (
  VALUES (1, 0, 1) UNION ALL SELECT n + 1, b, a + b FROM fibonacci WHERE n < 60)
  SELECT n, a FROM fibonacci WHERE n % 20 = 0;
SELECT title, rank() OVER (ORDER BY year DESC), year - lag(year) OVER (ORDER BY year) FROM book ORDER BY year;
CREATE VIRTUAL TABLE text USING fts5(line);
INSERT INTO text VALUES ('the quick brown fox'), ('jumps over'), ('the lazy dog'), ('quick quick');
SELECT line FROM text WHERE text MATCH 'quick' ORDER BY rank;
SELECT json_extract('{"a":[1,2,{"b":"deep"}]}', '$.a[2].b'), hex(x'00ff'), x'cafe', NULL, upper('straße');
WITH RECURSIVE row(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM row WHERE n < 20000)
  SELECT count(*), sum(n * n % 97) FROM row;
