/* A component that waits two seconds: what its cell holds meanwhile is what a cell costs. */
#include <stdio.h>
#include <time.h>

int main(void)
{
    struct timespec wait = {.tv_sec = 2};
    if (nanosleep(&wait, NULL) != 0)
        return 1;
    puts("done");
    return 0;
}
