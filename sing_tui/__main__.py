"""`python -m sing_tui`: the same as the command `sing-tui`."""

from sing_tui.cli import main

if __name__ == "__main__":
    main()
