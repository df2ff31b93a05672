"""Run the command sing-compute as `python -m sing_compute` or `torchrun -m sing_compute`."""

from sing_compute.cli import main

if __name__ == "__main__":
    main()
