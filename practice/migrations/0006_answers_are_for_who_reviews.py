"""What was answered before this was answered to the practice, as it still is at booking."""

from django.db import migrations


class Migration(migrations.Migration):
    """New items are for whoever cares for the case alone, unless they say otherwise."""

    dependencies = [("duet_practice", "0005_who_may_see_what")]

    operations = [
        migrations.RunSQL(
            "UPDATE duet_practice_answer SET audience = 'staff' WHERE audience = 'counselor'",
            migrations.RunSQL.noop,
        )
    ]
