"""What is in force already gets no second version, where that is asked for; whatever differs gets one."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from sectigo_iot.pki import Installer, Unpacked, unpack
from tests.unit.pki.downloads import whole_store, zipped
from tests.unit.pki.home import PASSWORD

ONE, TWO = "one.example.com", "two.example.com"
FILES = {"cert.pem": b"certificate", "privkey.pem": b"key"}


def versions(target: Path, name: str) -> int:
    return len(list((target / ".versions" / name).iterdir()))


def test_of_several_those_that_are_new_alone_get_a_version(tmp_path: Path) -> None:
    stores = {f"{name}.p12": whole_store(name) for name in (ONE, TWO)}

    def unpacked(*names: str, again: bool = False) -> tuple[Unpacked, ...]:
        archive = zipped({name: stores[name] for name in names})
        return unpack(io.BytesIO(archive), tmp_path, password=PASSWORD, again=again)

    (first,) = unpacked(f"{TWO}.p12")
    both = unpacked(*stores)
    assert [one.name for one in both] == [ONE, TWO]
    assert both[1].installed == first.installed
    assert not both[1].is_older
    assert unpacked(*stores)[0].installed.folder == both[0].installed.folder
    assert (versions(tmp_path, ONE), versions(tmp_path, TWO)) == (1, 1)
    unpacked(*stores, again=True)
    assert (versions(tmp_path, ONE), versions(tmp_path, TWO)) == (2, 2)


def stands(target: Path, files: dict[str, bytes], **words: bool | tuple[str, ...]) -> bool:
    with Installer(target, **words) as installer:  # type: ignore[arg-type]
        return installer.standing(installer.stage(ONE, files)) is not None


@pytest.mark.parametrize(
    "files",
    [
        {**FILES, "cert.pem": b"Certificate"},
        {**FILES, "chain.pem": b"more"},
        {"cert.pem": b"certificate"},
    ],
    ids=["other contents", "one more", "one less"],
)
def test_what_stands_there_has_the_same_files(tmp_path: Path, files: dict[str, bytes]) -> None:
    assert not stands(tmp_path, FILES)
    with Installer(tmp_path) as installer:
        installer.commit([installer.stage(ONE, FILES)])
    assert stands(tmp_path, FILES)
    assert not stands(tmp_path, files)


def test_what_stands_there_is_open_to_the_same_users(tmp_path: Path) -> None:
    with Installer(tmp_path, grants=("65533",)) as installer:
        installer.commit([installer.stage(ONE, FILES)])
        installed = installer.standing(installer.stage(TWO, FILES))
        assert installed is None
    assert stands(tmp_path, FILES)
    assert stands(tmp_path, FILES, grants=("65533",))
    assert not stands(tmp_path, FILES, grants=("65532",))
    assert stands(tmp_path, FILES, grants=("65533",), carry_grants=False)
    assert not stands(tmp_path, FILES, carry_grants=False)


def test_a_version_that_somebody_has_taken_away_does_not_stand_there(tmp_path: Path) -> None:
    with Installer(tmp_path) as installer:
        (installed,) = installer.commit([installer.stage(ONE, FILES)])
    for path in (*installed.files.values(), installed.folder):
        path.rmdir() if path.is_dir() else path.unlink()
    assert not stands(tmp_path, FILES)
