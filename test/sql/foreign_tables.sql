-- Foreign tables: options, and what is read of tables of this database.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION appflow;
\set VERBOSITY default

-- options: names and values are checked, and hints tell the valid ones
CREATE SERVER s FOREIGN DATA WRAPPER appflow_fdw;
CREATE SERVER s FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_type 'Salesforce');
CREATE SERVER s FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_type 'Salesfarce');
CREATE SERVER s FOREIGN DATA WRAPPER appflow_fdw OPTIONS (conector_profile 'x');
CREATE SERVER s FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'x', password 'secret');
CREATE SERVER s FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'x', fdw_startup_cost '-1');
CREATE SERVER s FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'x', page_size '0');
CREATE SERVER s FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'x', async_capable 'perhaps');
CREATE SERVER pg FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'PostgreSQL');
CREATE USER MAPPING FOR PUBLIC SERVER pg OPTIONS (password 'secret');
CREATE FOREIGN TABLE bad (a int) SERVER pg OPTIONS (entitty 'x');
CREATE FOREIGN TABLE bad (a int OPTIONS (feild 'x')) SERVER pg OPTIONS (entity 'x');
CREATE FOREIGN TABLE bad (a int) SERVER pg OPTIONS (entity 'x', format 'xml');
CREATE FOREIGN TABLE bad (a int) SERVER pg;
SELECT * FROM bad;
DROP FOREIGN TABLE bad;
CREATE SERVER s3 FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_type 's3');
CREATE FOREIGN TABLE bad (a int) SERVER s3;
SELECT * FROM bad;
DROP FOREIGN TABLE bad;

-- reading
CREATE TABLE item (id int PRIMARY KEY, name text, price numeric(10,2), rate float8, sold timestamptz, day date,
	here boolean, uid uuid, tags jsonb, "odd name" text);
INSERT INTO item
SELECT i, 'item ' || i, i * 1.25, i / 4.0, timestamptz '2026-01-01 00:00:00Z' + i * interval '1 hour', date '2026-01-01' + i,
	i % 2 = 0, ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid, jsonb_build_object('i', i), 'o' || i
FROM generate_series(1, 20) i;
INSERT INTO item (id) VALUES (21);
CREATE SCHEMA f;
CREATE FOREIGN TABLE f.item (id int, title text OPTIONS (field 'name'), price numeric(10,2), rate float8, sold timestamptz,
	day date, here boolean, uid uuid, tags jsonb, odd text OPTIONS (field 'odd name')) SERVER pg OPTIONS (entity 'public.item');
SET timezone = 'UTC';
SELECT * FROM f.item WHERE id = 3;
SELECT count(*), sum(price), count(title) FROM f.item;
SELECT id FROM f.item WHERE title IS NULL;
SELECT id, odd FROM f.item WHERE id IN (1, 5, 99, NULL) ORDER BY id DESC;
SELECT id FROM f.item WHERE NOT here AND sold < '2026-01-01 05:00+00';
SELECT id FROM f.item WHERE id BETWEEN 18 AND 25 AND (here OR title IS NULL);
SELECT id FROM f.item WHERE title LIKE '%m 1%' AND day > date '2026-01-15';

-- what does not exist
CREATE FOREIGN TABLE f.lost (id int, gone text) SERVER pg OPTIONS (entity 'public.item');
SELECT gone FROM f.lost;
SELECT id FROM f.lost WHERE id = 2;
CREATE FOREIGN TABLE f.nothing (id int) SERVER pg OPTIONS (entity 'public.nothing');
SELECT * FROM f.nothing;

-- a value that does not fit names column and record
CREATE FOREIGN TABLE f.narrow (id smallint, name int) SERVER pg OPTIONS (entity 'public.item');
SELECT id FROM f.narrow WHERE id = 2;
SELECT name FROM f.narrow WHERE id = 2;

-- import: names, types, keys; LIMIT TO and EXCEPT take the entity's name or the table's
CREATE SCHEMA app;
CREATE TABLE app."OrderLine" ("OrderID" bigint PRIMARY KEY, "AnnualRevenue" numeric(12,2) NOT NULL, "HTTPServer" text,
	"x-y" int, "X_Y" int, "Made" timestamptz, data jsonb);
CREATE TABLE app.other (a int);
CREATE TABLE app.third (a int);
CREATE SCHEMA imported;
IMPORT FOREIGN SCHEMA nowhere FROM SERVER pg INTO imported;
IMPORT FOREIGN SCHEMA app FROM SERVER pg INTO imported OPTIONS (case 'lower');
IMPORT FOREIGN SCHEMA app FROM SERVER pg INTO imported OPTIONS (naming 'upper');
IMPORT FOREIGN SCHEMA app LIMIT TO (order_line) FROM SERVER pg INTO imported;
\d imported.*
DROP FOREIGN TABLE imported.order_line;
IMPORT FOREIGN SCHEMA app EXCEPT (third, order_line) FROM SERVER pg INTO imported;
\d imported.*
DROP FOREIGN TABLE imported.other;
IMPORT FOREIGN SCHEMA app LIMIT TO ("app.""OrderLine""") FROM SERVER pg INTO imported OPTIONS (naming 'as_is');
\d imported.*
SELECT * FROM appflow.refresh_foreign_table('imported."OrderLine"');
ALTER TABLE app."OrderLine" ADD "NewOne" date NOT NULL, DROP "x-y", ALTER "AnnualRevenue" TYPE text, ALTER "AnnualRevenue" DROP NOT NULL;
SELECT * FROM appflow.refresh_foreign_table('imported."OrderLine"');
SELECT * FROM appflow.refresh_foreign_table('imported."OrderLine"', drop_columns => true);
SELECT * FROM appflow.refresh_foreign_table('imported."OrderLine"');
\d imported.*
SELECT * FROM appflow.refresh_foreign_table('app.other');

-- what is pushed, and what stays
EXPLAIN (COSTS OFF) SELECT count(*), max(sold), sum(id) FROM f.item WHERE here OR title IS NULL;
SELECT count(*), max(sold), sum(id) FROM f.item WHERE here OR title IS NULL;
EXPLAIN (COSTS OFF) SELECT here, count(*) + 1 FROM f.item WHERE id > 3 GROUP BY here HAVING count(*) > 2;
SELECT here, count(*) + 1 FROM f.item WHERE id > 3 GROUP BY here HAVING count(*) > 2 ORDER BY 1;
EXPLAIN (COSTS OFF) SELECT here, count(*) FROM f.item WHERE lower(title) = 'item 3' GROUP BY here;
EXPLAIN (COSTS OFF) SELECT upper(title) FROM f.item WHERE here ORDER BY id DESC LIMIT 2 OFFSET 1;
SELECT upper(title) FROM f.item WHERE here ORDER BY id DESC LIMIT 2 OFFSET 1;
EXPLAIN (COSTS OFF) SELECT id FROM f.item ORDER BY title LIMIT 1;
EXPLAIN (COSTS OFF) SELECT id FROM f.item WHERE rate > 1 AND title ~ 'x' AND id <> ALL (ARRAY[1, 2]) AND sold < now() ORDER BY title COLLATE "C";
EXPLAIN (COSTS OFF) SELECT i.title FROM (VALUES (1), (2)) v (id) JOIN f.item i USING (id);
EXPLAIN (COSTS OFF) SELECT id FROM f.item WHERE id = NULL::int OR id IN (NULL);

-- costs and numbers of rows
ALTER FOREIGN TABLE f.item OPTIONS (ADD rows '77', ADD fdw_startup_cost '5', ADD fdw_tuple_cost '0');
EXPLAIN SELECT * FROM f.item;
ALTER FOREIGN TABLE f.item OPTIONS (DROP rows);
ANALYZE f.item;
EXPLAIN SELECT id FROM f.item WHERE id < 11;
SELECT n_distinct, null_frac > 0 AS nulls FROM pg_stats WHERE schemaname = 'f' AND tablename = 'item' AND attname IN ('here', 'title') ORDER BY attname;
