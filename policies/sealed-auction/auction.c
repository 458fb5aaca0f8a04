/*
 * A sealed auction at the second price (Vickrey): the highest bid wins and pays the next one.
 *
 *   auction RESERVE NAME=FILE…      writes out/result.json: {"price":…,"winner":"…"}
 *
 * Each file holds one bid: a whole number of up to nine digits, and a newline. Anything else counts
 * as no bid, so that nobody can stop the sale by a bad one. Bids below RESERVE do not count, and
 * the winner pays RESERVE at least; without a bid the winner is "nobody". Among equal highest bids
 * the lot decides, drawn from the seed that all participants made together.
 *
 * Every bid is read and compared whatever the others are; how long that takes tells nothing.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_BIDDERS = 32, MAX_DIGITS = 9, MAX_NAME = 63 };

static void __attribute__((noreturn)) stop(const char *what, const char *why)
{
    fprintf(stderr, "auction: %s: %s\n", what, why);
    exit(1);
}

/* -1: no number. */
static long number(const char *text, size_t len)
{
    long n = 0;
    if (len == 0 || len > MAX_DIGITS)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        n = n * 10 + (text[i] - '0');
    }
    return n;
}

static long read_bid(const char *path)
{
    char text[MAX_DIGITS + 3];
    FILE *f = fopen(path, "rb");
    if (!f)
        stop(path, strerror(errno));
    size_t len = fread(text, 1, sizeof text, f);
    fclose(f);
    return len > 1 && text[len - 1] == '\n' ? number(text, len - 1) : -1;
}

/* A fair number below n. */
static unsigned draw(unsigned n)
{
    uint32_t x, unfair = (uint32_t)(-n) % n;
    do {
        if (getentropy(&x, sizeof x) != 0)
            stop("lot", "no randomness");
    } while (x < unfair);
    return x % n;
}

/* NAME of NAME=FILE; the file's path behind it. */
static const char *split(const char *word, char name[MAX_NAME + 1])
{
    size_t len = strcspn(word, "=");
    if (len == 0 || len > MAX_NAME || word[len] != '=' ||
        strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-") != len)
        stop(word, "not NAME=FILE");
    memcpy(name, word, len);
    name[len] = 0;
    return word + len + 1;
}

int main(int argc, char **argv)
{
    static char names[MAX_BIDDERS][MAX_NAME + 1];
    int best[MAX_BIDDERS], n_best = 0;
    if (argc < 3 || argc > 2 + MAX_BIDDERS || number(argv[1], strlen(argv[1])) < 0)
        stop("arguments", "RESERVE NAME=FILE…");
    long reserve = number(argv[1], strlen(argv[1])), high = -1, second = -1;
    for (int i = 2; i < argc; i++) {
        long bid = read_bid(split(argv[i], names[i - 2]));
        if (bid < reserve)
            bid = -1;
        if (bid > high) {
            second = high;
            high = bid;
            n_best = 0;
        } else if (bid > second) {
            second = bid;
        }
        if (bid >= 0 && bid == high)
            best[n_best++] = i - 2;
    }
    if (n_best > 1)
        second = high;
    long price = high < 0 ? 0 : second < reserve ? reserve : second;
    const char *winner = n_best ? names[best[draw((unsigned)n_best)]] : "nobody";
    FILE *f = fopen("out/result.json", "w");
    if (!f || fprintf(f, "{\"price\":%ld,\"winner\":\"%s\"}", price, winner) < 0 || fclose(f) != 0)
        stop("out/result.json", "writing failed");
    return 0;
}
