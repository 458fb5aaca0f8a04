/* Calls the library of wit/calls.wit: what its arguments say, one after another. Ends with the
 * number of the line at which something was not as it should be, counted from 1. */
#include "abi.h"

#include <unistd.h>

IMPORT(THINGS, "echo") void echo(const uint8_t *data, uint32_t len, struct bytes *ret);
IMPORT(THINGS, "join")
void join(const struct bytes *texts, uint32_t n, uint32_t colour, struct joined *ret);
IMPORT(THINGS, "move")
void move(double x, int32_t y, const char *name, uint32_t len, double dx, double dy, uint32_t marks,
          struct point *ret);
IMPORT(THINGS, "turn") void turn(uint32_t tag, uint32_t bits, uint32_t len, struct shape *ret);
IMPORT(THINGS, "largest") void largest(const double *numbers, uint32_t n, struct maybe *ret);
IMPORT(THINGS, "count") void count(struct counts *ret);
IMPORT(THINGS, "trap") void trap(void);
IMPORT(THINGS, "spin") void spin(void);

#define CHECK(is)                                                                                  \
    do                                                                                             \
        if (!(is))                                                                                 \
            fail_at(__LINE__);                                                                     \
    while (0)

/* Without printf, which is most of a component that needs little else. */
static _Noreturn void fail_at(int line)
{
    char text[] = "0000\n";
    for (int i = 3; i >= 0; i--, line /= 10)
        text[i] = (char)('0' + line % 10);
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    exit(100);
}

static void echo_of(uint32_t n)
{
    uint8_t *data = malloc(n + 1);
    struct bytes got;
    for (uint32_t i = 0; i < n; i++)
        data[i] = (uint8_t)(i * 7 + n);
    echo(data, n, &got);
    CHECK(got.len == n && (n == 0 || !memcmp(got.data, data, n)));
    if (n)
        free(got.data);
    free(data);
}

static struct bytes text(const char *s)
{
    return (struct bytes){(uint8_t *)s, strlen(s)};
}

static void kinds(void)
{
    struct joined j;
    const struct bytes texts[] = {text("une "), text("pomme "), text("\xc3\xa9 \xf0\x9f\x98\x80 ")};
    join(texts, 3, 1, &j);
    CHECK(!j.failed && j.text.len == strlen("une pomme \xc3\xa9 \xf0\x9f\x98\x80 green"));
    CHECK(!memcmp(j.text.data, "une pomme \xc3\xa9 \xf0\x9f\x98\x80 green", j.text.len));
    const struct bytes hole[] = {text("a"), text(""), text("b")};
    join(hole, 3, 2, &j);
    CHECK(j.failed && j.which == 1);
    join(NULL, 0, 0, &j);
    CHECK(!j.failed && j.text.len == 3 && !memcmp(j.text.data, "red", 3));

    struct point p;
    move(1.5, -7, "abc", 3, 2.25, -3, 5, &p);
    CHECK(p.x == 3.75 && p.y == 990 && p.name.len == 3 && !memcmp(p.name.data, "ABC", 3));
    move(0, -32768, "", 0, 0, 0, 0, &p);
    CHECK(p.x == 0 && p.y == -32768 && p.name.len == 0);

    struct shape s;
    turn(0, 0, 0, &s);
    CHECK(s.tag == 1 && s.radius == 2.5f);
    turn(1, 0x40200000, 0, &s);
    CHECK(s.tag == 0);
    const struct point points[] = {{1, 2, text("p")}, {3, -4, text("quattro")}};
    turn(2, (uint32_t)points, 2, &s);
    CHECK(s.tag == 2 && s.points.len == 2 && s.points.data[1].x == 3 && s.points.data[1].y == -4);
    CHECK(s.points.data[1].name.len == 7 && !memcmp(s.points.data[1].name.data, "quattro", 7));

    struct maybe m;
    const double numbers[] = {-1, 17.5, 3};
    largest(numbers, 3, &m);
    CHECK(m.some && m.value == 17.5);
    largest(NULL, 0, &m);
    CHECK(!m.some);
}

/* Two counts and four echos by one instance: it remembers, and its results were given back. */
static void state(void)
{
    struct counts c;
    count(&c);
    uint32_t asked = c.asked, freed = c.freed;
    for (int i = 0; i < 4; i++)
        echo_of(10);
    count(&c);
    CHECK(c.asked == asked + 5 && c.freed == freed + 4);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *what = argv[i];
        struct counts c;
        struct shape s;
        const struct point liar = {0, 0, text("lie")};
        if (!strncmp(what, "echo=", 5))
            echo_of(strtoul(what + 5, NULL, 10));
        else if (!strcmp(what, "kinds"))
            kinds();
        else if (!strcmp(what, "state"))
            state();
        else if (!strcmp(what, "trap"))
            trap();
        else if (!strcmp(what, "spin"))
            spin();
        else if (!strcmp(what, "lie"))
            turn(2, (uint32_t)&liar, 1, &s);
        else if (!strcmp(what, "pointer")) /* arguments that do not lie in memory */
            echo((const uint8_t *)0xfffffff0, 64, &(struct bytes){0});
        else if (!strcmp(what, "case")) /* a case that there is not */
            turn(3, 0, 0, &s);
        else if (!strncmp(what, "times=", 6))
            for (unsigned long n = strtoul(what + 6, NULL, 10); n; n--)
                count(&c);
        else
            return 99;
    }
    return 0;
}
