"""``python -m salwidgets`` is the ``salwidgets`` command."""

import sys

from .cli import main

sys.exit(main())
