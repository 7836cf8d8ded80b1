-- Changes nothing where both are there.
SELECT 'CREATE ROLE kine LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'kine') \gexec
SELECT 'CREATE DATABASE kine OWNER kine' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'kine') \gexec
