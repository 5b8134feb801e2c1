"""Care relations, restricted cases, the broken glass; clients' own access; notices; erasures."""

import datetime
import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("duet_clients", "0003_messages_in_trouble"),
    ]

    operations = [
        migrations.CreateModel(
            name="Erasure",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("person_id", models.UUIDField(unique=True)),
                ("key_id", models.UUIDField(unique=True)),
                ("erased_at", models.DateTimeField()),
                ("reason", models.CharField(max_length=30)),
                ("despite", models.CharField(blank=True, default="", max_length=60)),
            ],
        ),
        migrations.AddField(
            model_name="case",
            name="restricted_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="member",
            name="roles",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        ("front_desk", "Front Desk"),
                        ("reviewer", "Reviewer"),
                        ("counselor", "Counselor"),
                        ("supervisor", "Supervisor"),
                        ("admin", "Admin"),
                    ],
                    max_length=20,
                ),
                size=None,
            ),
        ),
        migrations.CreateModel(
            name="ClientPasskey",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("credential", models.BinaryField(max_length=2048, unique=True)),
                ("sign_count", models.PositiveBigIntegerField(default=0)),
                ("name", models.CharField(max_length=60)),
                ("made_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="passkeys",
                        to="duet_clients.person",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ClientPin",
            fields=[
                (
                    "person",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="pin",
                        serialize=False,
                        to="duet_clients.person",
                    ),
                ),
                ("pin", models.BinaryField(null=True)),
                ("set_at", models.DateTimeField(null=True)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("code", models.BinaryField(null=True)),
                ("code_ends_at", models.DateTimeField(null=True)),
                ("code_tries", models.PositiveSmallIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("code_tries__lte", 5), ("tries__lte", 5)),
                        name="duet_clientpin_tries",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("pin__isnull", True), ("set_at__isnull", True)),
                            models.Q(("pin__isnull", False), ("set_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="duet_clientpin_pairs",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("code__isnull", True), ("code_ends_at__isnull", True)),
                            models.Q(("code__isnull", False), ("code_ends_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="duet_clientpin_code_pairs",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BreakGlass",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("reason", models.BinaryField()),
                ("opened_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="glasses",
                        to="duet_clients.case",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="glasses",
                        to="duet_clients.member",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["member", "ends_at"], name="duet_breakglass_ends")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ends_at__gte", models.F("opened_at")),
                            (
                                "ends_at__lte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("opened_at"),
                                    "+",
                                    models.Value(datetime.timedelta(seconds=3600)),
                                ),
                            ),
                        ),
                        name="duet_breakglass_an_hour_at_most",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CareRelation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("co_counselor", "Co Counselor"),
                            ("supervisor", "Supervisor"),
                            ("named", "Named"),
                        ],
                        max_length=12,
                    ),
                ),
                ("since_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="care",
                        to="duet_clients.case",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="care",
                        to="duet_clients.member",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=["member", "case"],
                        name="duet_carerelation_standing",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("case", "member", "kind"),
                        name="duet_carerelation_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ended_at__isnull", True),
                            ("ended_at__gte", models.F("since_at")),
                            _connector="OR",
                        ),
                        name="duet_carerelation_ends_after_its_begin",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ClientSession",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("token_hash", models.BinaryField(max_length=32, unique=True)),
                ("proof", models.PositiveSmallIntegerField(default=1)),
                ("browser", models.CharField(blank=True, default="", max_length=60)),
                ("opened_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sessions",
                        to="duet_clients.person",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("proof__in", [1, 2])), name="duet_clientsession_proof"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("opened_at"))),
                        name="duet_clientsession_ends",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DataRequest",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("copy", "Copy"), ("erasure", "Erasure")], max_length=7
                    ),
                ),
                ("asked_at", models.DateTimeField()),
                ("answered_at", models.DateTimeField(null=True)),
                ("answer", models.CharField(blank=True, default="", max_length=30)),
                (
                    "answered_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="duet_clients.member",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="data_requests",
                        to="duet_clients.person",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("answered_at__isnull", True)),
                        fields=("person", "kind"),
                        name="duet_datarequest_one_open",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("answer", ""), ("answered_at__isnull", True)),
                            models.Q(
                                ("answered_at__isnull", False),
                                models.Q(("answer", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="duet_datarequest_answered_pair",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(max_length=30)),
                ("subject_kind", models.CharField(max_length=20)),
                ("subject_id", models.UUIDField()),
                ("made_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField(null=True)),
                ("mailed_at", models.DateTimeField(null=True)),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notices",
                        to="duet_clients.member",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("mailed_at__isnull", True)),
                        fields=["made_at"],
                        name="duet_notice_to_mail",
                    ),
                    models.Index(
                        condition=models.Q(("seen_at__isnull", True)),
                        fields=["member", "made_at"],
                        name="duet_notice_unseen",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("member", "kind", "subject_kind", "subject_id"),
                        name="duet_notice_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SignInLink",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("token_hash", models.BinaryField(max_length=32, unique=True)),
                ("token", models.BinaryField()),
                ("made_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sign_in_links",
                        to="duet_clients.person",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("made_at"))),
                        name="duet_signinlink_ends",
                    )
                ],
            },
        ),
    ]
