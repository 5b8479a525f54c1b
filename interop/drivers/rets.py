"""Drives the PyPI package rets."""

from rets import Session  # type: ignore[import-not-found]  # installed where this runs
from rets.exceptions import RETSException  # type: ignore[import-not-found]  # as above

from interop.drivers.visit import Visit, run

NO_OBJECT_FOUND = "20403"


def drive(visit: Visit) -> None:
    """Log in, look around, search, fetch, log out."""
    task = visit.task
    with Session(task.login_url, task.username, task.password, version="RETS/1.7.2") as session:
        with visit.step("metadata"):
            _look_around(visit, session)
        with visit.step("search"):
            rows = session.search(
                task.resource,
                task.class_,
                dmql_query=task.query,
                offset=1,
                response_format=task.search_format,
            )
            visit.listings += [row[task.key_field] for row in rows]
        for key, ids in task.ask:
            with visit.step(f"photos of {key}"):
                _fetch(visit, session, key, ids)


def _look_around(visit: Visit, session: Session) -> None:
    task = visit.task
    resource = session.get_resource_metadata(task.resource)
    visit.learn(
        resource["ResourceID"],
        resource["KeyField"],
        [row["ClassName"] for row in session.get_class_metadata(task.resource)],
        [row["ObjectType"] for row in session.get_object_metadata(task.resource)],
        [row["SystemName"] for row in session.get_table_metadata(task.resource, task.class_)],
    )


def _fetch(visit: Visit, session: Session, key: str, ids: str) -> None:
    try:
        for photo in session.get_object(visit.task.resource, visit.task.object_type, [key], ids):
            visit.photo(photo["content_id"], photo["object_id"], photo["content"] or b"")
    except RETSException as error:
        if error.reply_code != NO_OBJECT_FOUND:
            raise


if __name__ == "__main__":
    run(drive)
