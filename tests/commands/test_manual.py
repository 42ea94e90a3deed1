"""The session of TRISA's manual, typed in this process: for machines without the programs of the transcript."""

from __future__ import annotations

import json
import shlex
import zipfile
from pathlib import Path

import pytest

from sectigo_iot.emulator import Emulator
from tests.commands.signing_requests import request
from tests.conftest import Runner
from tests.transcripts import shown


@pytest.mark.usefixtures("here")
def test_the_session(sectigo: Runner, manual: Emulator) -> None:
    def typed(line: str) -> str:
        command, *words = shlex.split(line)
        assert command == "sectigo"
        done = sectigo(*words, env=manual.environ)
        assert done.code == 0, (line, done)
        return done.out

    assert typed("sectigo auth") == "user authenticated and credentials cached\n"
    assert Path(typed("sectigo auth --cache").strip()).is_file()
    assert typed("sectigo auth --debug").startswith("credentials are valid until ")
    authority = json.loads(typed("sectigo authorities"))[0]
    assert (authority["id"], authority["profileId"], authority["balance"]) == (1, 42, 10)
    assert json.loads(typed("sectigo licenses")) == {"ordered": 2, "issued": 2}
    assert json.loads(typed("sectigo profiles -i 42"))["profileId"] == 42
    params = json.loads(typed("sectigo profile -i 42 --params"))
    assert [rule["name"] for rule in params] == ["commonName", "pkcs12Password"]
    batch = json.loads(typed("sectigo create -a 42 -d example.com -p secrtpasswrd -b 'example.com certs'"))
    assert list(batch.items()) == list({**shown.CREATED, "creationDate": batch["creationDate"]}.items())
    assert json.loads(typed("sectigo batches -i 24"))["batchId"] == 24
    assert typed("sectigo batches -i 24 --status") == "READY_FOR_DOWNLOAD\n"
    assert typed("sectigo download -i 24 -o certs/").startswith("downloaded batch 24 to certs/24.zip\n")
    with zipfile.ZipFile("certs/24.zip") as archive:
        assert archive.namelist() == ["example.com.p12"]
    Path("example.com.csr").write_bytes(request("example.com"))
    uploaded = json.loads(typed("sectigo upload -p 42 example.com.csr"))
    assert list(uploaded) == list(shown.CREATED)
    found = json.loads(typed("sectigo find -n example.com"))
    assert found["totalCount"] == 2
    serial = found["items"][0]["serialNumber"]
    assert typed(f'sectigo revoke -p 42 -r "cessation of operation" -s {serial}') == ""
