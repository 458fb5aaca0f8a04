/*
 * The model owner's first program: a network of one hidden layer that tells ten digits apart.
 *
 *   train in/labelled.csv        writes out/model.csv and out/report.csv
 *
 * Each line: 64 pixels of 0 to 16 and the digit. The model comes out as whole numbers (model.h), so
 * that whoever uses it needs no floating point. The result is the same to the last byte wherever
 * this is compiled: additions, multiplications and divisions of doubles in one order, with an
 * exponential of our own and first weights from a fixed row of numbers.
 */
#include "model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 10000, MAX_LINE = 1024, PASSES = 20, BATCH = 100 };

static const double RATE = 0.1, MOMENTUM = 0.9, PENALTY = 1e-3;

static double x[MAX_ROWS][FIRST]; /* pixels from 0 to 1, and a one */
static uint8_t y[MAX_ROWS];
static int rows;

/* The weights, what moved them last, and where they should go. */
struct net {
    double first[HIDDEN][FIRST], second[DIGITS][SECOND];
};
static struct net w, speed, slope;

static void __attribute__((noreturn)) stop(const char *what, const char *why)
{
    fprintf(stderr, "train: %s: %s\n", what, why);
    exit(1);
}

/* e^x for x <= 0: x = k ln 2 + r with |r| <= ln(2)/2, the series of e^r, then the exponent k. */
static double exponential(double v)
{
    static const double LN2_HIGH = 6.93147180369123816490e-01, LN2_LOW = 1.90821492927058770002e-10;
    if (v < -700)
        return 0;
    int k = (int)(v * 1.44269504088896338700 - 0.5);
    double r = (v - k * LN2_HIGH) - k * LN2_LOW, sum = 1, term = 1;
    for (int i = 1; i <= 14; i++) {
        term = term * r / i;
        sum += term;
    }
    uint64_t bits = (uint64_t)(k + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return sum * power;
}

static void read_rows(const char *path)
{
    char line[MAX_LINE];
    FILE *f = fopen(path, "r");
    if (!f)
        stop(path, strerror(errno));
    for (; fgets(line, sizeof line, f); rows++) {
        char *p = line, *end;
        if (rows == MAX_ROWS)
            stop(path, "too many rows");
        for (int i = 0; i <= PIXELS; i++, p = end + 1) {
            unsigned long v = strtoul(p, &end, 10);
            if (end == p || v > (i < PIXELS ? INK : DIGITS - 1) ||
                *end != (i < PIXELS ? ',' : '\n'))
                stop(path, "a line is not 64 pixels and a digit");
            if (i < PIXELS)
                x[rows][i] = (double)v / INK;
            else
                y[rows] = (uint8_t)v;
        }
        x[rows][PIXELS] = 1;
    }
    if (ferror(f) || rows == 0)
        stop(path, "nothing to read");
    fclose(f);
}

/* Small weights of both signs: MINSTD, the same in every run. */
static void begin(void)
{
    uint64_t seed = 1;
    for (int h = 0; h < HIDDEN; h++) {
        for (int i = 0; i < PIXELS; i++) {
            seed = seed * 48271 % 2147483647;
            w.first[h][i] = ((double)seed / 2147483647 - 0.5) * 0.5;
        }
    }
    for (int d = 0; d < DIGITS; d++) {
        for (int h = 0; h < HIDDEN; h++) {
            seed = seed * 48271 % 2147483647;
            w.second[d][h] = (double)seed / 2147483647 - 0.5;
        }
    }
}

/* Chances of the ten digits by way of the hidden layer; returns the most likely one. */
static int chances(int row, double hidden[SECOND], double p[DIGITS])
{
    double sum = 0;
    int best = 0;
    for (int h = 0; h < HIDDEN; h++) {
        double v = 0;
        for (int i = 0; i < FIRST; i++)
            v += w.first[h][i] * x[row][i];
        hidden[h] = v > 0 ? v : 0;
    }
    hidden[HIDDEN] = 1;
    for (int d = 0; d < DIGITS; d++) {
        p[d] = 0;
        for (int h = 0; h < SECOND; h++)
            p[d] += w.second[d][h] * hidden[h];
        if (p[d] > p[best])
            best = d;
    }
    double top = p[best];
    for (int d = 0; d < DIGITS; d++) {
        p[d] = exponential(p[d] - top);
        sum += p[d];
    }
    for (int d = 0; d < DIGITS; d++)
        p[d] /= sum;
    return best;
}

/* Adds what one row says of every weight. */
static void learn(int row, const double hidden[SECOND], const double p[DIGITS])
{
    double back[HIDDEN] = {0};
    for (int d = 0; d < DIGITS; d++) {
        double miss = p[d] - (d == y[row]);
        for (int h = 0; h < SECOND; h++)
            slope.second[d][h] += miss * hidden[h];
        for (int h = 0; h < HIDDEN; h++)
            back[h] += miss * w.second[d][h];
    }
    for (int h = 0; h < HIDDEN; h++)
        for (int i = 0; i < FIRST && hidden[h] > 0; i++)
            slope.first[h][i] += back[h] * x[row][i];
}

static void move(double *weight, double *pace, const double *to, int n, int batch)
{
    for (int i = 0; i < n; i++) {
        pace[i] = MOMENTUM * pace[i] - RATE * (to[i] / batch + PENALTY * weight[i]);
        weight[i] += pace[i];
    }
}

/* One step of gradient descent with momentum over some rows; returns how many were right before. */
static int step(int first, int end)
{
    double hidden[SECOND], p[DIGITS];
    int right = 0;
    memset(&slope, 0, sizeof slope);
    for (int r = first; r < end; r++) {
        right += chances(r, hidden, p) == y[r];
        learn(r, hidden, p);
    }
    move(&w.first[0][0], &speed.first[0][0], &slope.first[0][0], HIDDEN * FIRST, end - first);
    move(&w.second[0][0], &speed.second[0][0], &slope.second[0][0], DIGITS * SECOND, end - first);
    return right;
}

/* Every row once, a batch a step; returns how many were right. */
static int pass(void)
{
    int right = 0;
    for (int r = 0; r < rows; r += BATCH)
        right += step(r, r + BATCH < rows ? r + BATCH : rows);
    return right;
}

static void write_layer(FILE *f, const double *v, int lines, int columns, int unit)
{
    for (int i = 0; i < lines * columns; i++) {
        double scaled = v[i] * SCALE * (i % columns == columns - 1 ? unit : 1);
        fprintf(f, "%ld,%s", (long)(scaled < 0 ? scaled - 0.5 : scaled + 0.5),
                i % columns == columns - 1 ? "\n" : "");
    }
}

static FILE *create(const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f)
        stop(path, strerror(errno));
    return f;
}

int main(int argc, char **argv)
{
    int right = 0;
    if (argc != 2)
        stop("arguments", "name the labelled images");
    read_rows(argv[1]);
    begin();
    for (int i = 0; i < PASSES; i++)
        right = pass();
    FILE *model = create("out/model.csv"), *report = create("out/report.csv");
    write_layer(model, &w.first[0][0], HIDDEN, FIRST, INK);
    write_layer(model, &w.second[0][0], DIGITS, SECOND, 1);
    fprintf(report, "figure,value\nrows,%d\npasses,%d\nright_at_the_end,%d\n", rows, PASSES, right);
    if (fclose(model) != 0 || fclose(report) != 0)
        stop("results", "writing failed");
    return 0;
}
