/* Each argument is told and the answer printed; "+N" asks for N bytes and checks them; "*N" asks N
 * times and prints nothing. */
#include "tool-abi.h"

IMPORT(TELL, "tell") void tell(const char *data, uint32_t len, struct text *ret);
IMPORT(TELL, "give") void give(uint32_t n, struct text *ret);

static void take(uint32_t n)
{
    struct text got;
    give(n, &got);
    uint32_t wrong = got.len != n;
    for (uint32_t i = 0; i < got.len; i++)
        wrong += got.data[i] != (char)(i % 251);
    printf("%u bytes, %u wrong\n", (unsigned)got.len, (unsigned)wrong);
    if (got.len)
        free(got.data);
}

int main(int argc, char **argv)
{
    struct text got;
    for (int i = 1; i < argc; i++) {
        unsigned long n = strtoul(argv[i] + 1, NULL, 10);
        if (argv[i][0] == '+') {
            take((uint32_t)n);
            continue;
        }
        for (unsigned long k = 0; argv[i][0] == '*' && k < n; k++) {
            tell("", 0, &got);
            free(got.data);
        }
        if (argv[i][0] == '*')
            continue;
        tell(argv[i], strlen(argv[i]), &got);
        printf("%.*s\n", (int)got.len, got.data);
        free(got.data);
    }
    return 0;
}
