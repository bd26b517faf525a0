import sys

from nngpt_perfclf.cli import main

sys.exit(main())
