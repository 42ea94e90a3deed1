"""`python -m sectigo_cli` is `sectigo`."""

import sys

from sectigo_cli.main import main

sys.exit(main())
