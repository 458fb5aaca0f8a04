/*
 * Private intersection: which identifiers do two parties have in common?
 *
 *   intersect in/ours.txt in/theirs.txt
 *
 * Each file holds one identifier a line, in any order; repeats count once. Writes out/common.txt
 * (the common ones, sorted) and out/count.txt (only their number). Who may open which is the
 * manifest's word, not this program's.
 *
 * Sorts and walks both lists once. Sizes are hidden by the padding of blobs and outputs; how long
 * it runs is not hidden.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LINE = 256 };

struct list {
    char **ids;
    size_t n, room;
};

static void __attribute__((noreturn)) stop(const char *what, const char *why)
{
    fprintf(stderr, "intersect: %s: %s\n", what, why);
    exit(1);
}

static void add(struct list *l, const char *id)
{
    if (l->n == l->room) {
        l->room = l->room ? 2 * l->room : 1024;
        l->ids = realloc(l->ids, l->room * sizeof *l->ids);
        if (!l->ids)
            stop("list", "not enough memory");
    }
    l->ids[l->n] = strdup(id);
    if (!l->ids[l->n++])
        stop("list", "not enough memory");
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void read_list(struct list *l, const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f)
        stop(path, strerror(errno));
    char line[MAX_LINE];
    while (fgets(line, sizeof line, f)) {
        size_t len = strcspn(line, "\r\n");
        if (line[len] == 0 && !feof(f))
            stop(path, "a line is too long");
        line[len] = 0;
        if (len > 0)
            add(l, line);
    }
    if (ferror(f))
        stop(path, "reading failed");
    fclose(f);
    if (l->n == 0)
        return;
    qsort(l->ids, l->n, sizeof *l->ids, compare);
    size_t kept = 1;
    for (size_t i = 1; i < l->n; i++) {
        if (strcmp(l->ids[i], l->ids[kept - 1]) != 0)
            l->ids[kept++] = l->ids[i];
    }
    l->n = kept;
}

static FILE *create(const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f)
        stop(path, strerror(errno));
    return f;
}

static void finish(FILE *f, const char *path)
{
    if (fflush(f) != 0 || ferror(f) || fclose(f) != 0)
        stop(path, "writing failed");
}

int main(int argc, char **argv)
{
    struct list a = {0}, b = {0};
    if (argc != 3)
        stop("arguments", "name two lists");
    read_list(&a, argv[1]);
    read_list(&b, argv[2]);
    FILE *common = create("out/common.txt");
    size_t count = 0;
    for (size_t i = 0, j = 0; i < a.n && j < b.n;) {
        int order = strcmp(a.ids[i], b.ids[j]);
        if (order == 0) {
            fprintf(common, "%s\n", a.ids[i]);
            count++;
        }
        i += order <= 0;
        j += order >= 0;
    }
    finish(common, "out/common.txt");
    FILE *number = create("out/count.txt");
    fprintf(number, "%zu\n", count);
    finish(number, "out/count.txt");
    return 0;
}
