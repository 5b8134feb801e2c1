"""Bodies and queries that take their own fields, and nothing else."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers


class Strict(serializers.Serializer[Any]):
    """A serializer that refuses names which it doesn't know.

    An unknown name may be a try to set what isn't the sender's, or a mistyped one whose value
    would be lost in silence.
    """

    def to_internal_value(self, data: Any) -> Any:
        """Refuses (ValidationError) unknown names, each by itself."""
        if isinstance(data, dict):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                raise serializers.ValidationError(
                    {name[:100]: [_("We don't know this field.")] for name in unknown[:20]}
                )
        return super().to_internal_value(data)
