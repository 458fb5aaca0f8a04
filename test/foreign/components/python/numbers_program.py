"""Says of a file's numbers how many, their sum and their mean; by Python's standard library."""
import math
import pathlib
import statistics

from wit_world import exports


class Run(exports.Run):
    def run(self) -> None:
        numbers = [float(line) for line in pathlib.Path("/in/numbers").read_text().split()]
        said = f"{len(numbers)} numbers, sum {math.fsum(numbers):.4f}, mean {statistics.fmean(numbers):.4f}\n"
        pathlib.Path("/out/result").write_text(said)
