"""`python -m sing_compute` and `torchrun -m sing_compute` are the command sing-compute."""

from sing_compute.cli import main

if __name__ == "__main__":
    main()
