/*
 * Decimal numbers as whole units of 10^-decimals: no binary fraction anywhere, so that what is
 * compared, rounded or added to is exactly what is written.
 */
#ifndef GATES_DECIMAL_H
#define GATES_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DECIMAL_PLACES 6 /* most decimals */
#define DECIMAL_WHOLE 12 /* most digits before the point */
#define DECIMAL_TEXT (DECIMAL_WHOLE + DECIMAL_PLACES + 3)

int64_t decimal_power(int decimals); /* 10^decimals, 0 to 18 */

/* `-12.34`; no exponent, no blanks, no plus. With `round`, further decimals are rounded (half away
 * from zero); without, they must be zeros. */
bool decimal_read(const char *text, size_t len, int decimals, bool round, int64_t *ret);

/* The shortest spelling (no zeros at the end of a fraction), or with `all` every decimal. */
const char *decimal_write(int64_t units, int decimals, bool all, char out[32]);

#endif
