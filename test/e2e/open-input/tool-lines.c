/* A component for the test of open inputs: numbers every line of its standard input, until the end.
 */
#include <stdio.h>

int main(void)
{
    char line[4096];
    FILE *out = fopen("out/lines", "w");
    if (!out)
        return 1;
    for (int n = 1; fgets(line, sizeof line, stdin); n++)
        fprintf(out, "%d %s", n, line);
    return ferror(stdin) || fclose(out) != 0;
}
