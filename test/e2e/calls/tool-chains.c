/* Passes each argument through a library that calls another, and prints what comes back. */
#include "tool-abi.h"

IMPORT(PASS, "pass") void pass(const char *data, uint32_t len, struct text *ret);

int main(int argc, char **argv)
{
    struct text got;
    for (int i = 1; i < argc; i++) {
        pass(argv[i], strlen(argv[i]), &got);
        printf("%.*s\n", (int)got.len, got.data);
        free(got.data);
    }
    return 0;
}
