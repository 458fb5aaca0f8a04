/* Writes so many MiB to standard output. */
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static char bytes[65536];
    size_t left = (argc > 1 ? strtoul(argv[1], NULL, 10) : 1) << 20;
    while (left > 0) {
        ssize_t n = write(1, bytes, left < sizeof bytes ? left : sizeof bytes);
        if (n < 0)
            return 1;
        left -= (size_t)n;
    }
    return 0;
}
