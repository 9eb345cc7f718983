-- appflow: Amazon AppFlow inside PostgreSQL.
-- Built from the parts in sql/ by the Makefile; complain if run by hand.
\echo Use "CREATE EXTENSION appflow" to load this file. \quit
