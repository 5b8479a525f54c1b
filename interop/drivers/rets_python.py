"""Drives the PyPI package rets-python."""

from rets.client import RetsClient  # type: ignore[import-not-found]  # installed where this runs

from interop.drivers.visit import Visit, run


def drive(visit: Visit) -> None:
    """Log in, look around, search, fetch, log out."""
    task = visit.task
    client = RetsClient(task.login_url, task.username, task.password)
    resource = client.get_resource(task.resource)
    with visit.step("metadata"):
        classes = [class_.name for class_ in resource.classes]
        types = [type_.name for type_ in resource.object_types]
        fields = [field["SystemName"] for field in resource.get_class(task.class_).table]
        visit.learn(resource.name, resource.key_field, classes, types, fields)
    with visit.step("search"):
        _search(visit, resource.get_class(task.class_))
    for key, ids in task.ask:
        with visit.step(f"photos of {key}"):
            for photo in resource.get_object_type(task.object_type).get({key: ids}):
                visit.photo(photo.content_id, photo.object_id, photo.data or b"")
    client.http.logout()


def _search(visit: Visit, class_: object) -> None:
    offset, more = 1, True
    while more:
        found = class_.search(visit.task.query, offset=offset, format_=visit.task.search_format)  # type: ignore[attr-defined]  # untyped
        visit.listings += [record.data[visit.task.key_field] for record in found.data]
        offset, more = offset + len(found.data), found.max_rows and found.data


if __name__ == "__main__":
    run(drive)
