/*
 * A command component that does what its first argument says: an honest copy, and the ways in which
 * a component ends badly or tries to have more than its channels. Used by
 * guest-agent/cell/test-cell.c.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int copy(void)
{
    char text[4096];
    FILE *in = fopen("in/a.txt", "r"), *out = fopen("out/sub/b.txt", "w");
    if (!in || !out)
        return 10;
    size_t n = fread(text, 1, sizeof text, in);
    for (size_t i = 0; i < n; i++)
        if (text[i] >= 'a' && text[i] <= 'z')
            text[i] -= 32;
    if (fwrite(text, 1, n, out) != n || fclose(out))
        return 11;
    printf("copied %zu\n", n);
    fprintf(stderr, "done");
    return 0;
}

static int write_bytes(const char *path, size_t want)
{
    static char part[65536];
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    if (fd < 0)
        return 20;
    for (size_t done = 0; done < want;) {
        size_t n = want - done < sizeof part ? want - done : sizeof part;
        ssize_t w = write(fd, part, n);
        if (w <= 0)
            return 21;
        done += (size_t)w;
    }
    return 0;
}

static int memory_bomb(void)
{
    for (;;) {
        volatile char *volatile p =
            malloc(1 << 20); /* else the compiler believes in endless memory */
        if (!p)
            return 30;
        for (int i = 0; i < 1 << 20; i += 4096)
            p[i] = 1;
    }
}

/* As memory_bomb(), but it takes the refusal in its stride. */
static int memory_polite(void)
{
    void *volatile p;
    do
        p = malloc(1 << 20);
    while (p);
    return write_bytes("out/sub/b.txt", 3);
}

static int recurse(volatile int *above)
{
    volatile int here = *above + 1;
    return here > 0 ? recurse(&here) + here : 0;
}

static int count_entries(const char *path)
{
    int n = 0;
    DIR *d = opendir(path);
    if (!d)
        return -1;
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* 0 when every way out of /in and /out is closed. */
static int wander(void)
{
    static const char *const paths[] = {"/etc/passwd", "/proc/self/mem", "in/../../etc/passwd",
                                        "/",           "/dev/null",      "in/../out/../../x"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (open(paths[i], O_RDONLY) >= 0)
            return 40;
    if (open("in/new", O_CREAT | O_WRONLY, 0600) >= 0 || open("in/a.txt", O_WRONLY) >= 0 ||
        unlink("in/a.txt") == 0 || rename("in/a.txt", "out/a.txt") == 0 ||
        link("in/a.txt", "out/a.txt") == 0 || truncate("in/a.txt", 0) == 0)
        return 41;
    if (symlink("../in/a.txt", "out/up") == 0 && open("out/up", O_RDONLY) >= 0)
        return 42;
    if (symlink("/etc/passwd", "out/abs") == 0 && open("out/abs", O_RDONLY) >= 0)
        return 43;
    if (count_entries("in") < 1)
        return 44;
    return write_bytes("out/sub/b.txt", 1);
}

static int flood(void)
{
    static char part[1000];
    memset(part, 'x', sizeof part);
    for (int i = 0; i < 1000; i++)
        if (fwrite(part, 1, sizeof part, stdout) != sizeof part)
            return 50;
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    volatile int zero = 0;
    if (!strcmp(what, "copy"))
        return copy();
    if (!strcmp(what, "trap"))
        __builtin_trap();
    if (!strcmp(what, "exit"))
        exit(3);
    if (!strcmp(what, "loop"))
        for (;;)
            zero++;
    if (!strcmp(what, "memory-bomb"))
        return memory_bomb();
    if (!strcmp(what, "memory-polite"))
        return memory_polite();
    if (!strcmp(what, "recurse"))
        return recurse(&zero);
    if (!strcmp(what, "file-bomb"))
        return write_bytes("out/sub/b.txt", (size_t)1 << 31);
    if (!strcmp(what, "scratch-bomb"))
        return write_bytes("out/other", (size_t)1 << 31);
    if (!strcmp(what, "one-too-many"))
        return write_bytes("out/sub/b.txt", strtoul(argv[2], NULL, 10) + 1);
    if (!strcmp(what, "exact"))
        return write_bytes("out/sub/b.txt", strtoul(argv[2], NULL, 10));
    if (!strcmp(what, "missing"))
        return 0;
    if (!strcmp(what, "folder"))
        return mkdir("out/sub/b.txt", 0700) == 0 ? 0 : 60;
    if (!strcmp(what, "link"))
        return symlink("../../in/a.txt", "out/sub/b.txt") == 0 ? 0 : 61;
    if (!strcmp(what, "wander"))
        return wander();
    if (!strcmp(what, "flood"))
        return flood();
    return 99;
}
