/* Calls a component that calls another. */
#include "abi.h"

IMPORT(CHAIN, "pass") void pass(const uint8_t *data, uint32_t len, struct bytes *ret);

int main(void)
{
    struct bytes got;
    for (int i = 0; i < 100; i++) {
        pass((const uint8_t *)"chain", 5, &got);
        if (got.len != 5 || memcmp(got.data, "chain", 5))
            return 1;
        free(got.data);
    }
    return 0;
}
