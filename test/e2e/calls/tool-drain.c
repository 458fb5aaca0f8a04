/* Reads standard input to its end, in between working as many rounds as its argument says; writes
 * down what came. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 0, at = 0, wrong = 0;
    static unsigned char bytes[4096];
    for (ssize_t n; (n = read(0, bytes, sizeof bytes)) > 0;) {
        for (ssize_t i = 0; i < n; i++, at++)
            wrong += bytes[i] != at % 251;
        for (volatile unsigned long k = 0; k < rounds; k++)
            ;
    }
    FILE *f = fopen("/out/said", "w");
    if (!f)
        return 1;
    fprintf(f, "%lu bytes, %lu wrong\n", at, wrong);
    return fclose(f) == 0 ? 0 : 1;
}
