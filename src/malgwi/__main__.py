"""``malgwi`` and ``python -m malgwi``."""

from malgwi.cli import main

if __name__ == "__main__":
    main()
