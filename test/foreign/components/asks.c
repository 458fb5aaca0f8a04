/* Hands a file's text to the program in JavaScript and writes down what it says. */
#include <stdio.h>

#include "../../component-abi.h"

#define TEXT_MAX (1 << 20)

/* What the canonical ABI makes of wit/numbers.wit. */
struct text {
    char *data;
    uint32_t len;
};
IMPORT("test:numbers/tell@1.0.0", "tell") void tell(const char *data, uint32_t len, struct text *);

int main(int argc, char **argv)
{
    static char lines[TEXT_MAX];
    FILE *in = argc == 3 ? fopen(argv[1], "r") : NULL,
         *out = argc == 3 ? fopen(argv[2], "w") : NULL;
    if (!in || !out)
        return 1;
    size_t n = fread(lines, 1, sizeof lines, in);
    struct text said;
    tell(lines, (uint32_t)n, &said);
    fwrite(said.data, 1, said.len, out);
    return ferror(in) || !feof(in) || fclose(out) != 0;
}
