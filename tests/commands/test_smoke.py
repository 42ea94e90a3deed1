from tests.conftest import Runner
from sectigo_iot.emulator import Emulator


def test_auth(sectigo: Runner, sectigo_process: Runner, emulator: Emulator) -> None:
    done = sectigo("auth", env=emulator.environ)
    assert done == (0, "user authenticated and credentials cached\n", "")
    done = sectigo_process("licenses", env=emulator.environ)
    assert done.code == 0, done
    done = sectigo("nonsense")
    assert done.code == 2, done
    done = sectigo()
    assert done.code == 2, done
    done = sectigo("--help")
    assert done.code == 0, done
    print(done.out)
    done = sectigo("create", "--help")
    assert done.code == 0, done
    print(done.out)
