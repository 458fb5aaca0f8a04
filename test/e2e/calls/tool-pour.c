/* Writes so many bytes to standard output, each the number of its place, modulo 251. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    for (unsigned long i = 0; i < n; i++)
        if (putchar((int)(i % 251)) == EOF)
            return 1;
    return fflush(stdout) == 0 ? 0 : 1;
}
