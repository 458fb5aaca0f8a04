/*
 * A command component that writes down what it sees of time and chance, as text that the test
 * compares. Used by guest-agent/cell/test-cell.c.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
    struct timespec wall, first, second, third;
    struct stat st;
    uint64_t chance = 0;
    if (getentropy(&chance, sizeof chance) != 0)
        return 1;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_MONOTONIC, &first);
    clock_gettime(CLOCK_MONOTONIC, &second);
    const struct timespec nap = {.tv_sec = 0, .tv_nsec = 20000000};
    if (nanosleep(&nap, NULL) != 0)
        return 2;
    clock_gettime(CLOCK_MONOTONIC, &third);
    FILE *out = fopen("out/seen.txt", "w");
    if (!out || stat("out/seen.txt", &st) != 0)
        return 3;
    long step = (long)(second.tv_nsec - first.tv_nsec);
    long long slept =
        (long long)(third.tv_sec - second.tv_sec) * 1000000000 + (third.tv_nsec - second.tv_nsec);
    fprintf(out, "wall %lld step %ld slept %d file %lld chance %016llx\n", (long long)wall.tv_sec,
            step, slept >= nap.tv_nsec, (long long)st.st_mtim.tv_sec, (unsigned long long)chance);
    return fclose(out);
}
