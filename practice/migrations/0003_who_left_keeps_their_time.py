import django.contrib.postgres.fields.ranges
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("duet_practice", "0002_one_key_one_booking"),
    ]

    operations = [
        migrations.AddField(
            model_name="attendance",
            name="left_period",
            field=django.contrib.postgres.fields.ranges.DateTimeRangeField(null=True),
        ),
        migrations.AddField(
            model_name="attendance",
            name="left_sequence",
            field=models.PositiveIntegerField(null=True),
        ),
    ]
