"""How books of older versions become books of this version, by Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic.config import Config

if TYPE_CHECKING:
    from sqlalchemy import Connection


def configuration(connection: Connection) -> Config:
    """Return what Alembic's commands take, for a connection whose transaction is begun, and ended by others."""
    config = Config()
    # A per cent sign in the path of an installation is none of the configuration's own.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    return config
