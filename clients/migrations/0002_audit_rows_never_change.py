"""Audit rows and their seals are append-only: the database refuses to change or remove one.

TRUNCATE is left alone, since a test database needs it; a role that may truncate may also drop.
"""

from django.db import migrations

FORBID = """
CREATE FUNCTION duet_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER duet_auditentry_append_only BEFORE UPDATE OR DELETE ON duet_clients_auditentry
    FOR EACH ROW EXECUTE FUNCTION duet_append_only();
CREATE TRIGGER duet_auditseal_append_only BEFORE UPDATE OR DELETE ON duet_clients_auditseal
    FOR EACH ROW EXECUTE FUNCTION duet_append_only();
"""

ALLOW = """
DROP TRIGGER duet_auditentry_append_only ON duet_clients_auditentry;
DROP TRIGGER duet_auditseal_append_only ON duet_clients_auditseal;
DROP FUNCTION duet_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("duet_clients", "0001_people_keys_audit_ledger")]

    operations = [migrations.RunSQL(FORBID, ALLOW)]
