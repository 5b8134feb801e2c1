"""Every item of a record has an audience, the narrowest unless it says otherwise."""

from django.db import migrations, models

AUDIENCES = ("counselor", "person", "couple", "staff")


class Migration(migrations.Migration):
    dependencies = [("duet_practice", "0004_what_ends_when")]

    operations = [
        migrations.AddField(
            model_name="answer",
            name="audience",
            field=models.CharField(
                max_length=9, choices=[(one, one) for one in AUDIENCES], default="counselor"
            ),
        )
    ]
