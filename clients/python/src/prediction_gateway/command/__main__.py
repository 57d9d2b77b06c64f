"""``python -m prediction_gateway.command`` is ``pgw``."""

import sys

from prediction_gateway.command.main import main

sys.exit(main())
