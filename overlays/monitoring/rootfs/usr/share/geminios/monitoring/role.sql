-- Sees the server's statistics and no row of anybody's table. Changes nothing where it is there.
SELECT 'CREATE ROLE "postgres-exporter" LOGIN CONNECTION LIMIT 4' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'postgres-exporter') \gexec
SELECT 'GRANT pg_monitor TO "postgres-exporter"' WHERE NOT pg_has_role('postgres-exporter', 'pg_monitor', 'MEMBER') \gexec
