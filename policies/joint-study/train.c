/*
 * Joint study: a logistic regression on the rows of several parties.
 *
 *   train in/a.csv in/b.csv …      writes out/model.json (for everyone) and out/report.csv (how
 * well it fits)
 *
 * Each file: a header with the column names, then numbers; the last column is the outcome, 0 or 1.
 * Every fifth row of the combined table is held out of the training and tells how well the model
 * predicts rows that it never saw.
 *
 * The result is the same to the last byte wherever this is compiled: only additions,
 * multiplications, divisions and square roots of doubles (which IEEE 754 fixes), in one order, with
 * an exponential and a logarithm of our own.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_COLUMNS = 64,
    MAX_ROWS = 200000,
    MAX_LINE = 8192,
    MAX_STEPS = 50,
    HELD_OUT = 5, /* every fifth row */
};

static const double PENALTY =
    1.0; /* of the squared weights: keeps them finite when the classes part */
static const double TOLERANCE = 1e-10; /* of the change in the objective */

struct table {
    char names[MAX_COLUMNS][64];
    int columns; /* features; the outcome is one more */
    int rows;
    double *x; /* rows x columns */
    unsigned char *y;
};

struct model {
    double mean[MAX_COLUMNS], scale[MAX_COLUMNS];
    double w[MAX_COLUMNS + 1]; /* the last is the constant */
    int steps, trained;
    double objective[MAX_STEPS + 1];
};

static void __attribute__((noreturn, format(printf, 1, 2))) stop(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "train: ");
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    va_end(ap);
    exit(1);
}

static void *allocate(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p)
        stop("not enough memory");
    return p;
}

/* e^x: x = k ln 2 + r with |r| <= ln(2)/2, then the series of e^r, then the exponent k. */
static double exponential(double x)
{
    static const double LN2_HIGH = 6.93147180369123816490e-01, LN2_LOW = 1.90821492927058770002e-10;
    if (x > 700)
        x = 700;
    if (x < -700)
        x = -700;
    int k = (int)(x * 1.44269504088896338700 + (x < 0 ? -0.5 : 0.5));
    double r = (x - k * LN2_HIGH) - k * LN2_LOW;
    double sum = 1, term = 1;
    for (int i = 1; i <= 14; i++) {
        term = term * r / i;
        sum += term;
    }
    uint64_t bits = (uint64_t)(k + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return sum * power;
}

/* ln x for a positive normal x: x = 2^k m, then 2 artanh((m-1)/(m+1)). */
static double logarithm(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int k = (int)(bits >> 52) - 1023;
    bits = (bits & 0x000fffffffffffffull) | 0x3ff0000000000000ull;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) {
        m /= 2;
        k++;
    }
    double t = (m - 1) / (m + 1), t2 = t * t, power = t, sum = 0;
    for (int i = 1; i < 40; i += 2) {
        sum += power / i;
        power *= t2;
    }
    return 2 * sum + k * 0.69314718055994530942;
}

/* ln(1 + e^z) without overflow. */
static double softplus(double z)
{
    return z > 0 ? z + logarithm(1 + exponential(-z)) : logarithm(1 + exponential(z));
}

static double probability(double z)
{
    return z >= 0 ? 1 / (1 + exponential(-z)) : exponential(z) / (1 + exponential(z));
}

static void read_header(struct table *t, char *line, const char *path)
{
    char names[MAX_COLUMNS][64];
    int n = 0;
    for (char *p = line;; n++) {
        size_t len = strcspn(p, ",");
        if (n == MAX_COLUMNS || len == 0 || len >= sizeof names[0])
            stop("%s: bad header", path);
        memcpy(names[n], p, len);
        names[n][len] = 0;
        if (!p[len]) {
            n++;
            break;
        }
        p += len + 1;
    }
    if (n < 2)
        stop("%s: no feature and outcome columns", path);
    if (t->columns == 0) {
        t->columns = n - 1;
        memcpy(t->names, names, sizeof names);
        t->x = allocate((size_t)MAX_ROWS * (size_t)t->columns, sizeof *t->x);
        t->y = allocate(MAX_ROWS, 1);
        return;
    }
    if (n - 1 != t->columns)
        stop("%s: other columns than the file before", path);
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i], t->names[i]) != 0)
            stop("%s: other columns than the file before", path);
    }
}

static void read_row(struct table *t, char *line, const char *path, int number)
{
    if (t->rows == MAX_ROWS)
        stop("%s: too many rows", path);
    double *x = t->x + (size_t)t->rows * (size_t)t->columns;
    char *p = line;
    for (int i = 0; i <= t->columns; i++) {
        char *end;
        double v = strtod(p, &end);
        if (end == p || !isfinite(v) || *end != (i < t->columns ? ',' : '\0'))
            stop("%s: line %d is not %d numbers", path, number, t->columns + 1);
        if (i < t->columns)
            x[i] = v;
        else if (v == 0 || v == 1)
            t->y[t->rows] = v == 1;
        else
            stop("%s: line %d: the outcome is neither 0 nor 1", path, number);
        p = end + 1;
    }
    t->rows++;
}

static void read_file(struct table *t, const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f)
        stop("%s: %s", path, strerror(errno));
    char line[MAX_LINE];
    for (int number = 1; fgets(line, sizeof line, f); number++) {
        size_t len = strcspn(line, "\r\n");
        if (line[len] == 0 && !feof(f))
            stop("%s: line %d is too long", path, number);
        line[len] = 0;
        if (number == 1)
            read_header(t, line, path);
        else if (len > 0)
            read_row(t, line, path, number);
    }
    if (ferror(f))
        stop("%s: reading failed", path);
    fclose(f);
}

static int held_out(int row)
{
    return row % HELD_OUT == HELD_OUT - 1;
}

static void standardise(const struct table *t, struct model *m)
{
    for (int r = 0; r < t->rows; r++)
        m->trained += !held_out(r);
    for (int c = 0; c < t->columns; c++) {
        double sum = 0, squares = 0;
        for (int r = 0; r < t->rows; r++)
            sum += held_out(r) ? 0 : t->x[r * t->columns + c];
        m->mean[c] = sum / m->trained;
        for (int r = 0; r < t->rows; r++) {
            double d = t->x[r * t->columns + c] - m->mean[c];
            squares += held_out(r) ? 0 : d * d;
        }
        m->scale[c] = squares > 0 ? sqrt(squares / m->trained) : 1;
        for (int r = 0; r < t->rows; r++)
            t->x[r * t->columns + c] = (t->x[r * t->columns + c] - m->mean[c]) / m->scale[c];
    }
}

static double score(const struct table *t, const double *w, int row)
{
    double z = w[t->columns];
    for (int c = 0; c < t->columns; c++)
        z += w[c] * t->x[row * t->columns + c];
    return z;
}

static double objective(const struct table *t, const double *w)
{
    double sum = 0;
    for (int c = 0; c < t->columns; c++)
        sum += PENALTY / 2 * w[c] * w[c];
    for (int r = 0; r < t->rows; r++) {
        if (!held_out(r)) {
            double z = score(t, w, r);
            sum += softplus(t->y[r] ? -z : z);
        }
    }
    return sum;
}

/* Solves H d = g in place for a symmetric positive definite H (n x n): Cholesky. */
static void solve(int n, double *h, double *g)
{
    for (int j = 0; j < n; j++) {
        for (int i = j; i < n; i++) {
            double sum = h[i * n + j];
            for (int k = 0; k < j; k++)
                sum -= h[i * n + k] * h[j * n + k];
            if (i == j && !(sum > 0))
                stop("the columns do not determine a model");
            h[i * n + j] = i == j ? sqrt(sum) : sum / h[j * n + j];
        }
    }
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < i; k++)
            g[i] -= h[i * n + k] * g[k];
        g[i] /= h[i * n + i];
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int k = i + 1; k < n; k++)
            g[i] -= h[k * n + i] * g[k];
        g[i] /= h[i * n + i];
    }
}

/* Newton's method, halving the step while the objective does not fall. */
static void fit(const struct table *t, struct model *m)
{
    int n = t->columns + 1;
    double *h = allocate((size_t)n * (size_t)n, sizeof *h), g[MAX_COLUMNS + 1];
    m->objective[0] = objective(t, m->w);
    while (m->steps < MAX_STEPS) {
        memset(h, 0, (size_t)n * (size_t)n * sizeof *h);
        for (int c = 0; c < n; c++) {
            g[c] = c < t->columns ? PENALTY * m->w[c] : 0;
            h[c * n + c] = c < t->columns ? PENALTY : 0;
        }
        for (int r = 0; r < t->rows; r++) {
            if (held_out(r))
                continue;
            double p = probability(score(t, m->w, r)), weight = p * (1 - p);
            for (int i = 0; i < n; i++) {
                double xi = i < t->columns ? t->x[r * t->columns + i] : 1;
                g[i] += (p - t->y[r]) * xi;
                for (int j = 0; j <= i; j++)
                    h[i * n + j] += weight * xi * (j < t->columns ? t->x[r * t->columns + j] : 1);
            }
        }
        solve(n, h, g);
        double before = m->objective[m->steps], after = before, step = 1;
        double w[MAX_COLUMNS + 1];
        for (int tries = 0; tries < 30; tries++, step /= 2) {
            for (int c = 0; c < n; c++)
                w[c] = m->w[c] - step * g[c];
            after = objective(t, w);
            if (after < before)
                break;
        }
        if (!(after < before))
            break;
        memcpy(m->w, w, sizeof w);
        m->objective[++m->steps] = after;
        if (before - after < TOLERANCE * before)
            break;
    }
    free(h);
}

static FILE *create(const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f)
        stop("%s: %s", path, strerror(errno));
    return f;
}

static void finish(FILE *f, const char *path)
{
    if (fflush(f) != 0 || ferror(f) || fclose(f) != 0)
        stop("%s: writing failed", path);
}

static void write_list(FILE *f, const char *name, const double *v, int n)
{
    fprintf(f, " \"%s\": [", name);
    for (int i = 0; i < n; i++)
        fprintf(f, "%s%.17g", i ? ", " : "", v[i]);
    fprintf(f, "],\n");
}

static void write_model(const struct table *t, const struct model *m)
{
    FILE *f = create("out/model.json");
    fprintf(f, "{\n \"kind\": \"logistic-regression\",\n \"outcome\": \"%s\",\n \"features\": [",
            t->names[t->columns]);
    for (int c = 0; c < t->columns; c++)
        fprintf(f, "%s\"%s\"", c ? ", " : "", t->names[c]);
    fprintf(f, "],\n");
    write_list(f, "mean", m->mean, t->columns);
    write_list(f, "scale", m->scale, t->columns);
    write_list(f, "weights", m->w, t->columns);
    fprintf(f, " \"constant\": %.17g,\n \"penalty\": %.17g,\n \"rows_trained\": %d\n}\n",
            m->w[t->columns], PENALTY, m->trained);
    finish(f, "out/model.json");
}

static void write_report(const struct table *t, const struct model *m)
{
    int seen[2][2] = {{0}}; /* [outcome][prediction] of the held-out rows */
    double loss = 0;
    for (int r = 0; r < t->rows; r++) {
        if (held_out(r)) {
            double z = score(t, m->w, r);
            seen[t->y[r]][z > 0]++;
            loss += softplus(t->y[r] ? -z : z);
        }
    }
    int right = seen[0][0] + seen[1][1], held = t->rows - m->trained;
    FILE *f = create("out/report.csv");
    fprintf(f, "figure,value\nrows,%d\nrows_trained,%d\nrows_held_out,%d\n", t->rows, m->trained,
            held);
    fprintf(f, "held_out_right,%d\nheld_out_accuracy_percent,%.2f\n", right, 100.0 * right / held);
    fprintf(f, "held_out_log_loss,%.17g\n", loss / held);
    for (int y = 0; y < 2; y++) {
        for (int p = 0; p < 2; p++)
            fprintf(f, "outcome_%d_predicted_%d,%d\n", y, p, seen[y][p]);
    }
    fprintf(f, "newton_steps,%d\n", m->steps);
    for (int i = 0; i <= m->steps; i++)
        fprintf(f, "objective_after_step_%d,%.17g\n", i, m->objective[i]);
    finish(f, "out/report.csv");
}

int main(int argc, char **argv)
{
    static struct table t;
    static struct model m;
    if (argc < 2)
        stop("no input named");
    for (int i = 1; i < argc; i++)
        read_file(&t, argv[i]);
    if (t.rows < 2 * HELD_OUT)
        stop("only %d rows", t.rows);
    standardise(&t, &m);
    fit(&t, &m);
    write_model(&t, &m);
    write_report(&t, &m);
    return 0;
}
