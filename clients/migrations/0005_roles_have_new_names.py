"""Who kept the desk is the front desk now, and who owned the practice its admin."""

from django.db import migrations

NEW_NAMES = (("staff", "front_desk"), ("owner", "admin"))
_SQL = (
    "UPDATE duet_clients_member SET roles = array_replace(roles, %s, %s)"
    " WHERE roles @> ARRAY[%s]::varchar[]"
)


class Migration(migrations.Migration):
    """Can be run again, and back."""

    dependencies = [("duet_clients", "0004_who_may_see_what")]

    operations = [
        migrations.RunSQL(
            [(_SQL, [old, new, old]) for old, new in NEW_NAMES],
            [(_SQL, [new, old, new]) for old, new in NEW_NAMES],
        )
    ]
