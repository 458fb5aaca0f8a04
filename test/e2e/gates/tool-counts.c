/* A component for the test of the gates: counts how often each word stands in its inputs, and
 * writes the table that the gates read, every count in six characters. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUPS = 64, WORD = 32 };

static char words[GROUPS][WORD];
static int counts[GROUPS], groups;

static void count(const char *word)
{
    int g = 0;
    while (g < groups && strcmp(words[g], word) != 0)
        g++;
    if (g == GROUPS)
        exit(1);
    if (g == groups)
        (void)snprintf(words[groups++], WORD, "%s", word);
    counts[g]++;
}

int main(int argc, char **argv)
{
    char line[WORD];
    for (int i = 1; i < argc; i++) {
        FILE *in = fopen(argv[i], "r");
        if (!in)
            return 1;
        while (fgets(line, sizeof line, in)) {
            line[strcspn(line, "\n")] = 0;
            count(line);
        }
        fclose(in);
    }
    FILE *out = fopen("out/table.csv", "w");
    if (!out)
        return 1;
    fprintf(out, "group,people,noisy\n");
    for (int g = 0; g < groups; g++)
        fprintf(out, "%s,%d,%6d\n", words[g], counts[g], counts[g]);
    return fclose(out) != 0;
}
