/* 512x512 matrix product, twelve times, as a component and natively: the same work, the same
 * source. Prints a checksum. */
#include <stdio.h>

enum { N = 512, TIMES = 12 };

static double a[N][N], b[N][N], c[N][N];

int main(void)
{
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            a[i][j] = (i * 31 + j * 17) % 101 / 101.0;
            b[i][j] = (i * 13 + j * 7) % 103 / 103.0;
        }
    }
    for (int t = 0; t < TIMES; t++) {
        for (int i = 0; i < N; i++) {
            for (int k = 0; k < N; k++) {
                double x = a[i][k];
                for (int j = 0; j < N; j++)
                    c[i][j] += x * b[k][j];
            }
        }
        a[t][t] += c[t][t] / 1e9; /* so that no product is the same as the one before */
    }
    double sum = 0;
    for (int i = 0; i < N; i++)
        sum += c[i][(i * 7) % N];
    printf("%.17g\n", sum);
    return 0;
}
