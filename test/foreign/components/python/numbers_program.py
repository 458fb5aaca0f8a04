"""Says of numbers how many, their sum and their mean; by Python's standard library."""
import math
import statistics

from wit_world import exports


class Tell(exports.Tell):
    def tell(self, lines: str) -> str:
        numbers = [float(line) for line in lines.split()]
        return f"{len(numbers)} numbers, sum {math.fsum(numbers):.4f}, mean {statistics.fmean(numbers):.4f}\n"
