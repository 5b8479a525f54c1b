"""The commands on a feed that speaks the RESO Web API."""

import json
from pathlib import Path

from service.simulator.server import LoopbackServer
from service.simulator.web_api.desk import ApiSite
from service.simulator.web_api.dialects import REALTRACS
from service.simulator.web_api.tokens import Access
from service.simulator.web_api.web_api import WebApi
from tests.acceptance.support import PASSWORD, service
from tests.ingest.support import S3
from tests.ingest.web_world import listing, photo


def configuration(folder: Path, server: LoopbackServer, feed: str, s3: S3) -> str:
    file = folder / "listing-photos.toml"
    file.write_text(
        f"""
[catalog]
url = "sqlite:///{folder / "catalog.db"}"
[store]
url = "{s3.url}"
access_key_env = "S3_ACCESS_KEY"
secret_key_env = "S3_SECRET_KEY"
[feeds.{feed}]
kind = "realtracs"
base_url = "http://127.0.0.1:{server.port}/{feed}/reso"
token_env = "MLS_PASSWORD"
""",
        encoding="utf-8",
    )
    return str(file)


def test_plan_once_status_and_audit_work_as_for_any_feed(s3: S3, tmp_path: Path) -> None:
    feed = "commands-web-api"
    api = WebApi(f"/{feed}/", REALTRACS, [listing("A", photo(1), photo(2)), listing("B")])
    with LoopbackServer({feed: ApiSite(Access(PASSWORD), api, REALTRACS.root)}) as server:
        file = configuration(tmp_path, server, feed, s3)

        def run(*words: str) -> str:
            done = service(*words, "-c", file, "--json", s3=s3)
            assert done.returncode == 0, done.stderr
            assert PASSWORD not in done.stdout + done.stderr
            return done.stdout

        planned = {entry["listing"]: entry["ask"] for entry in json.loads(run("plan", feed))}
        assert planned == {"A": "what its record lists", "B": "what its record lists"}
        (cycle,) = json.loads(run("once", feed))
        assert cycle["counts"]["downloaded"] == 2
        (status,) = json.loads(run("status"))["feeds"]
        assert (status["listings"], status["photos"], status["owed"]) == (2, 2, 0)
        (audited,) = json.loads(run("audit", feed))
        assert audited["ok"]
