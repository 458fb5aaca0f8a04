#include "decimal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int64_t decimal_power(int decimals)
{
    int64_t power = 1;
    while (decimals-- > 0)
        power *= 10;
    return power;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool decimal_read(const char *text, size_t len, int decimals, bool round, int64_t *ret)
{
    size_t i = 0, first;
    bool minus = len > 0 && text[0] == '-';
    int64_t units = 0;
    first = i = minus;
    while (i < len && is_digit(text[i]) && i - first < DECIMAL_WHOLE)
        units = units * 10 + (text[i++] - '0');
    if (i == first || (text[first] == '0' && i - first > 1))
        return false;
    units *= decimal_power(decimals);
    if (i < len && text[i] == '.') {
        size_t point = ++i;
        for (; i < len && is_digit(text[i]); i++) {
            int digit = text[i] - '0', place = (int)(i - point);
            if (place < decimals)
                units += digit * decimal_power(decimals - 1 - place);
            else if (round)
                units += place == decimals && digit >= 5;
            else if (digit > 0)
                return false;
        }
        if (i == point)
            return false;
    }
    if (i != len)
        return false;
    *ret = minus ? -units : units;
    return true;
}

const char *decimal_write(int64_t units, int decimals, bool all, char out[32])
{
    int64_t power = decimal_power(decimals);
    uint64_t size = units < 0 ? 0 - (uint64_t)units : (uint64_t)units;
    uint64_t whole = size / (uint64_t)power, part = size % (uint64_t)power;
    const char *sign = units < 0 ? "-" : "";
    if (decimals == 0) {
        (void)snprintf(out, 32, "%s%" PRIu64, sign, whole);
        return out;
    }
    (void)snprintf(out, 32, "%s%" PRIu64 ".%0*" PRIu64, sign, whole, decimals, part);
    size_t len = strlen(out);
    while (!all && out[len - 1] == '0')
        out[--len] = 0;
    if (out[len - 1] == '.')
        out[len - 1] = 0;
    return out;
}
