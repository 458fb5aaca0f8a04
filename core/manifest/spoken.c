/* The digest for the telephone. */
#include "core/manifest/explain.h"

#include <string.h>

#define DIGITS 44 /* 10^44 > 2^146 */
#define ALL_DIGITS (DIGITS + 1)

/* Damm's check digit finds every single wrong digit and every swap of neighbours. */
static int damm(const char *digits, size_t n)
{
    static const unsigned char TABLE[10][10] = {
        {0, 3, 1, 7, 5, 9, 8, 6, 4, 2}, {7, 0, 9, 2, 1, 5, 4, 8, 6, 3},
        {4, 2, 0, 6, 8, 7, 1, 3, 5, 9}, {1, 7, 5, 0, 9, 8, 3, 4, 2, 6},
        {6, 1, 2, 3, 0, 4, 5, 9, 7, 8}, {3, 6, 7, 4, 2, 0, 9, 5, 8, 1},
        {5, 8, 6, 9, 7, 2, 0, 1, 3, 4}, {8, 9, 4, 5, 3, 6, 2, 0, 1, 7},
        {9, 4, 3, 8, 6, 1, 7, 2, 0, 5}, {2, 5, 8, 1, 4, 3, 6, 7, 9, 0},
    };
    int state = 0;
    for (size_t i = 0; i < n; i++)
        state = TABLE[state][digits[i] - '0'];
    return state;
}

/* The last 44 decimal digits of the digest as a big-endian number, most significant first, and the
 * check digit. */
static void all_digits(const struct cvm_digest *d, char out[ALL_DIGITS])
{
    uint8_t n[CVM_SHA256_LEN];
    memcpy(n, d->b, sizeof n);
    for (int i = DIGITS - 1; i >= 0; i--) {
        unsigned rest = 0;
        for (size_t k = 0; k < sizeof n; k++) {
            unsigned v = rest << 8 | n[k];
            n[k] = (uint8_t)(v / 10);
            rest = v % 10;
        }
        out[i] = (char)('0' + rest);
    }
    out[DIGITS] = (char)('0' + damm(out, DIGITS));
}

char *cvm_digest_spoken(const struct cvm_digest *d, char out[CVM_SPOKEN_LEN])
{
    char digits[ALL_DIGITS], *p = out;
    all_digits(d, digits);
    for (int i = 0; i < ALL_DIGITS; i++) {
        if (i && i % 5 == 0)
            *p++ = '-';
        *p++ = digits[i];
    }
    *p = '\0';
    return out;
}

bool cvm_digest_spoken_matches(const struct cvm_digest *d, const char *text)
{
    char digits[ALL_DIGITS], wanted[ALL_DIGITS];
    size_t n = 0;
    for (; *text; text++) {
        if (*text == '-' || *text == ' ')
            continue;
        if (*text < '0' || *text > '9' || n == ALL_DIGITS)
            return false;
        digits[n++] = *text;
    }
    all_digits(d, wanted);
    return n == ALL_DIGITS && memcmp(digits, wanted, sizeof digits) == 0;
}
