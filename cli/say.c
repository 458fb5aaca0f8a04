/* How things are said: lines for people, one JSON document for programs, a bar for those who wait.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "core/base/clock.h"

/*
 * How many bytes at p drive a terminal instead of being shown by it: C0 but the end of a line, DEL,
 * C1 in UTF-8, and what turns the direction of writing around.
 */
static size_t driving(const unsigned char *p)
{
    if (*p == '\n')
        return 0;
    if (*p < 0x20 || *p == 0x7f)
        return 1;
    if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
        return 2;
    bool embedding = p[0] == 0xe2 && p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae;
    bool isolate = p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9;
    return embedding || isolate ? 3 : 0;
}

void cli_print_safe(FILE *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        size_t n = driving(p);
        fputc(n ? '?' : *p, out);
        p += n ? n : 1;
    }
}

/* Whatever a caller forgot: nothing that came from elsewhere drives the terminal. */
static void CVM_PRINTF(2, 0) print(FILE *out, const char *fmt, va_list ap)
{
    char *text;
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    cli_print_safe(out, text);
    free(text);
}

void cli_say(const struct cli *c, const char *fmt, ...)
{
    if (c->json)
        return;
    va_list ap;
    va_start(ap, fmt);
    print(stdout, fmt, ap);
    va_end(ap);
}

void cli_note(const struct cli *c, const char *fmt, ...)
{
    (void)c;
    va_list ap;
    va_start(ap, fmt);
    print(stderr, fmt, ap);
    va_end(ap);
}

void cli_result(struct cli *c, json_t *result)
{
    if (c->json && !c->said) {
        CVM_AUTO_FREE char *text = json_dumps(result, JSON_INDENT(2) | JSON_SORT_KEYS);
        printf("%s\n", text ? text : "{}");
        c->said = true;
    }
    json_decref(result);
}

/* Text that came over the network or out of a file must not drive the terminal. */
static void print_plain(FILE *out, const char *text)
{
    for (; *text; text++)
        fputc((unsigned char)*text >= 0x20 && (unsigned char)*text < 0x7f ? *text : '?', out);
}

void cli_say_error(struct cli *c, const struct cvm_error *err)
{
    const struct cvm_code_info *info = cvm_code_info(err->code);
    if (c->json) {
        CVM_AUTO_FREE char *type = cvm_printf("urn:2cvm:error:%s", info->name);
        cli_result(c, json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s}", "type", type, "title",
                                info->text, "status", info->http, "detail", err->message, "code",
                                info->name, "expected", err->expected, "got", err->got, "remedy",
                                info->remedy));
        return;
    }
    fprintf(stderr, "2cvm: %s: ", info->name);
    /* Of wrong usage the message says all. */
    if (err->code != CVM_E_USAGE || !err->message[0]) {
        print_plain(stderr, info->text);
        if (err->message[0])
            fputs(": ", stderr);
    }
    print_plain(stderr, err->message);
    fputc('\n', stderr);
    const struct {
        const char *title, *text;
    } sides[] = {{"  expected: ", err->expected}, {"  got:      ", err->got}};
    for (size_t i = 0; i < 2; i++) {
        if (!sides[i].text[0])
            continue;
        fputs(sides[i].title, stderr);
        print_plain(stderr, sides[i].text);
        fputc('\n', stderr);
    }
    if (err->code == CVM_E_USAGE && c->verb && c->verb->name[0])
        fprintf(stderr, "  remedy:   see `2cvm %s --help`\n", c->verb->name);
    else
        fprintf(stderr, "  remedy:   %s\n",
                err->code == CVM_E_USAGE ? "see `2cvm --help`" : info->remedy);
}

char *cli_plain(const char *text, char *out, size_t size)
{
    size_t n = 0;
    for (; text[n] && n + 1 < size; n++)
        out[n] = (unsigned char)text[n] >= 0x20 && (unsigned char)text[n] < 0x7f ? text[n] : '?';
    out[n] = 0;
    return out;
}

int64_t cli_now(void)
{
    return time(NULL);
}

char *cli_time_text(int64_t seconds, char out[32])
{
    time_t t = seconds;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M UTC", &tm))
        snprintf(out, 32, "%lld s", (long long)seconds);
    return out;
}

char *cli_size_text(uint64_t bytes, char out[24])
{
    static const char *const UNITS[] = {"KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024) {
        snprintf(out, 24, "%llu B", (unsigned long long)bytes);
        return out;
    }
    double v = (double)bytes / 1024;
    size_t u = 0;
    for (; v >= 1024 && u < 3; u++)
        v /= 1024;
    snprintf(out, 24, "%.1f %s", v, UNITS[u]);
    return out;
}

struct cli_progress cli_progress_start(const struct cli *c, const char *what)
{
    return (struct cli_progress){
        .on = !c->json && isatty(STDERR_FILENO), .what = what, .next_ms = cvm_now_ms() + 200};
}

void cli_progress_update(void *progress, uint64_t done, uint64_t total)
{
    struct cli_progress *p = progress;
    if (!p || !p->on || !total || cvm_now_ms() < p->next_ms)
        return;
    static const char FULL[] = "########################", EMPTY[] = "                        ";
    int width = (int)sizeof FULL - 1, part = (int)(width * (double)done / (double)total);
    char a[24], b[24];
    fprintf(stderr, "\r%-12.40s [%.*s%.*s] %s of %s ", p->what, part, FULL, width - part, EMPTY,
            cli_size_text(done, a), cli_size_text(total, b));
    p->next_ms = cvm_now_ms() + 100;
    p->drawn = true;
}

void cli_progress_end(struct cli_progress *p)
{
    if (p->drawn)
        fprintf(stderr, "\r\033[K");
    p->drawn = false;
}
