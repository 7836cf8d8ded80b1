-- For psql, in Kine's database, while no Kine writes; `epoch` is a variable. The leader was named by a person and may lack what was
-- acknowledged: its next revisions could be ones that were given away before, for something else. So they go on far above. Once an epoch.
BEGIN;
SELECT set_config('geminios.epoch', :'epoch', true);
DO $$
DECLARE
	mark CONSTANT text := 'epoch ' || current_setting('geminios.epoch');
	high bigint;
BEGIN
	IF to_regclass('kine') IS NULL OR obj_description('kine_id_seq'::regclass, 'pg_class') = mark THEN
		RETURN;
	END IF;
	-- More than any site writes in its life, or a small part of what is left where the numbers have 32 bits.
	SELECT coalesce(last_value, 1) + least(4294967296, (max_value - coalesce(last_value, 1)) / 16) INTO STRICT high
		FROM pg_sequences WHERE schemaname = 'public' AND sequencename = 'kine_id_seq';
	PERFORM setval('kine_id_seq', high);
	-- The row that Kine puts where a revision is missing: it begins here, and does not fill what lies before.
	INSERT INTO kine (id, name, created, deleted, create_revision, prev_revision, lease, value, old_value)
		VALUES (high, 'gap-' || high, 0, 1, 0, 0, 0, NULL, NULL);
	-- A Kine that was connected before and is not started again would fill what lies before, row by row.
	CREATE OR REPLACE FUNCTION geminios_no_fill() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN RAISE EXCEPTION ''revisions before % are of a leader that was lost; Kine has to be started again'', TG_ARGV[0]; END';
	EXECUTE format('CREATE OR REPLACE TRIGGER geminios_no_fill BEFORE INSERT ON kine FOR EACH ROW
		WHEN (NEW.id < %s AND NEW.name LIKE ''gap-%%'') EXECUTE FUNCTION geminios_no_fill(%L)', high, high);
	EXECUTE format('COMMENT ON SEQUENCE kine_id_seq IS %L', mark);
END
$$;
COMMIT;
