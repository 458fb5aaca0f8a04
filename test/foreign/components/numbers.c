/* Reads numbers, says how many, their sum and their mean; by stdio and strtod alone. What each
 * program of this folder does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: numbers IN OUT\n");
        return 2;
    }
    FILE *in = fopen(argv[1], "r"), *out = fopen(argv[2], "w");
    if (!in || !out) {
        perror(in ? argv[2] : argv[1]);
        return 1;
    }
    char line[256];
    double sum = 0;
    long n = 0;
    while (fgets(line, sizeof line, in)) {
        char *end;
        double value = strtod(line, &end);
        if (end == line || strspn(end, " \t\r\n") != strlen(end)) {
            fprintf(stderr, "not a number: %s", line);
            return 1;
        }
        sum += value;
        n++;
    }
    fprintf(out, "%ld numbers, sum %.4f, mean %.4f\n", n, sum, n ? sum / (double)n : 0.0);
    printf("%ld numbers read\n", n);
    return ferror(in) || fclose(out) != 0;
}
