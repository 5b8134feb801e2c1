"""A seal names the key of its hash; a notice knows when its mail is tried next."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("duet_clients", "0005_roles_have_new_names"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="notice",
            name="duet_notice_to_mail",
        ),
        migrations.AddField(
            model_name="auditseal",
            name="key_id",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="notice",
            name="next_try_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="notice",
            name="tries",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name="datakey",
            name="purpose",
            field=models.CharField(
                choices=[
                    ("person", "Person"),
                    ("couple", "Couple"),
                    ("index", "Index"),
                    ("audit", "Audit"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(
                condition=models.Q(("next_try_at__isnull", False)),
                fields=["next_try_at"],
                name="duet_notice_to_mail",
            ),
        ),
        migrations.AddConstraint(
            model_name="datakey",
            constraint=models.UniqueConstraint(
                condition=models.Q(("purpose", "audit")),
                fields=("purpose",),
                name="duet_key_one_audit",
            ),
        ),
    ]
