/* Standard input in capitals to standard output. */
#include <ctype.h>
#include <stdio.h>

int main(void)
{
    for (int c; (c = getchar()) != EOF;)
        if (putchar(toupper(c)) == EOF)
            return 1;
    return ferror(stdin) || fflush(stdout) != 0;
}
