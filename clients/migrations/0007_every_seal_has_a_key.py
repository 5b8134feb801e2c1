"""Every seal has a key: a chain that began without one is sealed anew, from its first entry.

Whoever owned the tables could make such seals for whatever the entries said; they proved nothing.
The entries stay as they are. An end that was written down before is no longer in the chain.
"""

from django.db import migrations, models

BEGIN_ANEW = """
ALTER TABLE duet_clients_auditseal DISABLE TRIGGER duet_auditseal_append_only;
DELETE FROM duet_clients_auditseal
 WHERE EXISTS (SELECT FROM duet_clients_auditseal WHERE key_id IS NULL);
ALTER TABLE duet_clients_auditseal ENABLE TRIGGER duet_auditseal_append_only;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("duet_clients", "0006_keyed_seals_and_notices_to_mail"),
    ]

    operations = [
        migrations.RunSQL(BEGIN_ANEW, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="auditseal",
            name="key_id",
            field=models.UUIDField(),
        ),
    ]
