// Says of numbers how many, their sum and their mean.
export const tell = {
    tell(lines) {
        const numbers = lines.split("\n").filter((line) => line !== "").map(Number);
        const sum = numbers.reduce((a, b) => a + b, 0);
        return `${numbers.length} numbers, sum ${sum.toFixed(4)}, mean ${(sum / numbers.length).toFixed(4)}\n`;
    },
};
