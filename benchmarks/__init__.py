"""Speed and memory as ratios in one process; `make bench` prints the table."""
