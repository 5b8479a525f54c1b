"""python -m tools.make_configuration_page: docs/CONFIGURATION.md, from the models that check the file."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from service.config import KINDS, CatalogConfig, Config, StoreConfig, WebConfig
from service.reso_config import Limits, ODataFeed, ResoFields, WebApiFeed
from service.rets_config import RetsFields
from service.sections import FeedSection, Section

PAGE = Path("docs/CONFIGURATION.md")

HEAD = """# Configuration

One TOML file, checked at start; every mistake is told with its key and what is allowed. A secret never
stands in the file: `NAME_env` names an environment variable, `NAME_file` a file that holds it. Durations
are a number with `s`, `m`, `h` or `d`. This page is made from the code by
`python -m tools.make_configuration_page`.
"""

TABLES: tuple[tuple[str, type[Section]], ...] = (
    ("Top level", Config),
    ("[catalog]", CatalogConfig),
    ("[store]", StoreConfig),
    ("[web]", WebConfig),
    ("[feeds.NAME] of every kind", FeedSection),
    ("[feeds.NAME] of every kind but `rets`", WebApiFeed),
    ("[feeds.NAME] of the kinds that speak OData: all but `rets` and `spark-photos`", ODataFeed),
    *((f"[feeds.NAME] of kind `{kind}`", model) for kind, model in KINDS.items()),
    ("[feeds.NAME.fields] of kind `rets`", RetsFields),
    ("[feeds.NAME.fields] of kind `reso`", ResoFields),
    ("[feeds.NAME.limits]", Limits),
)


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_table(title, model) for title, model in TABLES)


def _table(title: str, model: type[Section]) -> str:
    rows = "".join(_row(name, field, model) for name, field in _own_fields(model))
    return f"\n## {title}\n\n| key | default | meaning |\n|---|---|---|\n{rows}"


def _own_fields(model: type[Section]) -> Iterator[tuple[str, FieldInfo]]:
    """Those that no table above has with the same words."""
    above = model.__base__.model_fields if model.__base__ and issubclass(model.__base__, Section) else {}
    for name, field in model.model_fields.items():
        other = above.get(name)
        if other is None or (other.default, other.description) != (field.default, field.description):
            yield name, field


def _row(name: str, field: FieldInfo, model: type[Section]) -> str:
    key = field.alias or name
    keys = f"`{key}_env`, `{key}_file`" if name in model.secrets() else f"`{key}`"
    meaning = " ".join((field.description or "").split())
    if get_origin(field.annotation) is Literal:
        meaning += " Allowed: " + ", ".join(f"`{value}`" for value in get_args(field.annotation)) + "."
    return f"| {keys} | {_default(field.default)} | {meaning} |\n"


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if value is None or isinstance(value, Section):
        return ""
    if isinstance(value, timedelta):
        return f"`{_duration(value)}`"
    return f"`{json.dumps(value)}`"  # strings, numbers, lists: as in TOML


def _duration(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    unit, size = next((u, s) for u, s in (("h", 3600), ("m", 60), ("s", 1)) if seconds % s == 0)
    return f"{seconds // size}{unit}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
