"""What this server says about itself in GetMetadata: one resource, one class, one object type, its fields.

Every name is one that the feed's settings give: nothing is promised that the answers do not hold. No
value holds a blank, and no empty one stands before a filled one: there are clients that part the
values of a row wherever there is white space.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from service.rets_config import RetsFields
from service.simulator import documents
from service.simulator.answers import RawAnswer, text_answer

ANY = frozenset({"0", "*"})
"""In a metadata ID: whatever there is at this level (RETS 1.7.2, section 12.2)."""

DATA_TYPES = {
    "listing": "Character",
    "photos_changed": "DateTime",
    "photos_count": "Int",
    "modified": "DateTime",
}
"""The columns of a listing, by what `RetsFields` calls them; its default names are RESO's standard names."""

QUERIED = frozenset({"listing", "modified"})
"""Fields that this server finds listings by."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """A feed's names: what a client learns that is told nothing but a login URL."""

    resource: str = "Property"
    class_: str = "RES"
    object_types: tuple[str, ...] = ("Photo",)
    fields: RetsFields = field(default_factory=RetsFields)

    @classmethod
    def of_feed(cls, settings: Mapping[str, Any]) -> Self:
        """The names in the keys of a [feeds.NAME] table; where it is silent, the defaults above."""
        default = cls()
        return cls(
            settings.get("resource", default.resource),
            settings.get("class", default.class_),
            tuple(settings.get("object_types", default.object_types)),
            RetsFields(**settings.get("fields", {})),
        )

    def columns(self) -> Mapping[str, str]:
        """The names of the columns that this feed has, by what `RetsFields` calls them."""
        return {role: name for role in DATA_TYPES if (name := getattr(self.fields, role))}

    def answer(self, params: Mapping[str, str]) -> RawAnswer:
        """The answer to GetMetadata with `Type`, `ID` and `Format`; there is only COMPACT."""
        kind = params.get("Type", "").upper()
        if params.get("Format") == "STANDARD-XML":
            return text_answer(documents.reply(20514, "Requested DTD version unavailable."))
        if kind not in _LEVELS:
            return text_answer(documents.reply(20503, "No Metadata Found."))
        levels = tuple(getattr(self, name) for name in _LEVELS[kind])
        if not _is_within(params.get("ID", "0").split(":"), levels):
            return text_answer(documents.reply(20502, "Invalid Identifier."))
        if kind == "METADATA-SYSTEM":
            return text_answer(documents.metadata_system())
        owner = dict(zip(("Resource", "Class"), levels, strict=False))
        heads, *rows = self._table(kind)
        return text_answer(documents.metadata(kind, owner, heads, rows))

    def _table(self, kind: str) -> Sequence[Sequence[str]]:
        """The column names, then the rows."""
        names = self.fields
        match kind:
            case "METADATA-RESOURCE":
                return ("ResourceID", "ClassCount", "KeyField"), (self.resource, "1", names.listing)
            case "METADATA-CLASS":
                return ("ClassName", "ClassTimeStamp"), (self.class_, names.modified)
            case "METADATA-OBJECT":
                about = ("image/*", names.photos_changed, names.photos_count)
                types = ((type_, *about) for type_ in self.object_types)
                return ("ObjectType", "MIMEType", "ObjectTimeStamp", "ObjectCount"), *types
        return ("SystemName", "StandardName", "DataType", "Searchable", "Unique"), *self._column_rows()

    def _column_rows(self) -> Sequence[Sequence[str]]:
        """A row per column."""
        return [
            (
                name,
                RetsFields.model_fields[role].default,
                DATA_TYPES[role],
                str(int(role in QUERIED)),
                str(int(role == "listing")),
            )
            for role, name in self.columns().items()
        ]


_LEVELS: Mapping[str, tuple[str, ...]] = {
    "METADATA-SYSTEM": (),
    "METADATA-RESOURCE": (),
    "METADATA-CLASS": ("resource",),
    "METADATA-OBJECT": ("resource",),
    "METADATA-TABLE": ("resource", "class_"),
}
"""What the parts of an ID name, for each type that there is."""


def _is_within(asked: Sequence[str], levels: Sequence[str]) -> bool:
    """Whether an ID leads to what there is; `0` alone is the whole of a type without levels."""
    known = levels or ("0",)
    return len(asked) <= len(known) and all(
        one == name or one in ANY for one, name in zip(asked, known, strict=False)
    )
