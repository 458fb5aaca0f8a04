/*
 * Takes the place of 2cvm-compile in tests of the agent: the "component" is a text whose first word
 * says how the compiler behaves; anything else is taken over as the "compiled" code.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest-agent/sandbox/results.h"

static void tell(struct cvm_compile_result r)
{
    r.magic = CVM_COMPILE_RESULT_MAGIC;
    _exit(write(CVM_FD_RESULT, &r, sizeof r) == (ssize_t)sizeof r ? 0 : 1);
}

static char texts[65536];
static size_t texts_len;

static void say(const char *part, size_t len)
{
    if (len > sizeof texts - 2 - texts_len)
        _exit(1);
    memcpy(texts + texts_len, part, len);
    texts_len += len;
}

#define SAY(text) say(text, sizeof(text) - 1)

/* The canonical text of one list of interfaces of the spec: the program's line `word` has the
 * functions, with '|' between them. */
static void put_side(const char *spec, const char *list, const char *program, const char *word)
{
    const char *lines = strstr(program, word), *default_lines = "f(x: list<u8>) -> list<u8>|g()";
    lines = lines ? lines + strlen(word) : default_lines;
    SAY("\"");
    say(list, strlen(list));
    SAY("\":{");
    const char *p = strstr(strstr(spec, "\"calls\":"), list);
    p = strchr(p, '[') + 1;
    for (const char *end; *p != ']'; p = end + (*end == ',')) {
        end = p + strcspn(p, ",]");
        if (texts[texts_len - 1] != '{')
            SAY(",");
        say(p, (size_t)(end - p));
        SAY(":[\"");
        for (const char *c = lines; *c && *c != '\n'; c++)
            *c == '|' ? SAY("\",\"") : say(c, 1);
        SAY("\"]");
    }
    SAY("}");
}

static uint64_t put_texts(const char *program)
{
    static char spec[65536];
    if (pread(CVM_FD_SPEC, spec, sizeof spec - 1, 0) <= 0)
        _exit(1);
    if (!strstr(spec, "\"calls\":"))
        return 0;
    SAY("{");
    put_side(spec, "exports", program, "\nexports ");
    SAY(",");
    put_side(spec, "imports", program, "\nimports ");
    SAY("}");
    if (strstr(program, "\ntexts-broken\n"))
        texts[0] = '[';
    if (strstr(program, "\ntexts-extended\n"))
        SAY(" ");
    if (strstr(program, "\ntexts-none\n"))
        return 0;
    if (strstr(program, "\ntexts-too-long\n"))
        return UINT64_MAX;
    if (strstr(program, "\ntexts-grown\n") && /* what was given is bounded */
        ftruncate(CVM_FD_TEXTS, CVM_TEXTS_MAX + 1) == 0)
        _exit(1);
    if (pwrite(CVM_FD_TEXTS, texts, texts_len, 0) != (ssize_t)texts_len)
        _exit(1);
    return texts_len;
}

int main(void)
{
    static char text[1 << 20];
    ssize_t n = pread(CVM_FD_CODE, text, sizeof text - 1, 0);
    if (n < 0)
        return 1;
    if (!strncmp(text, "refuse-import", 13))
        tell((struct cvm_compile_result){.end = CVM_COMPILE_IMPORT,
                                         .function = (uint32_t)strtoul(text + 13, NULL, 10)});
    if (!strncmp(text, "refuse-outside", 14))
        tell((struct cvm_compile_result){.end = CVM_COMPILE_IMPORT,
                                         .function = CVM_WASI_FUNCTION_UNKNOWN});
    if (!strncmp(text, "refuse-shared", 13))
        tell((struct cvm_compile_result){.end = CVM_COMPILE_FEATURE});
    if (!strncmp(text, "refuse-invalid", 14))
        tell((struct cvm_compile_result){.end = CVM_COMPILE_INVALID});
    if (!strncmp(text, "compile-crash", 13))
        abort();
    if (!strncmp(text, "compile-slow", 12))
        for (;;)
            pause();
    if (!strncmp(text, "compile-lie", 11)) /* says more code than it may */
        tell((struct cvm_compile_result){.cwasm_bytes = UINT64_MAX});
    if (!strncmp(text, "compile-empty", 13)) /* says more code than it left */
        tell((struct cvm_compile_result){.cwasm_bytes = 4096});
    if (pwrite(CVM_FD_CWASM, text, (size_t)n, 0) != n)
        return 1;
    tell((struct cvm_compile_result){
        .cwasm_bytes = (uint64_t)n, .memory_bytes = 65536, .texts_bytes = put_texts(text)});
}
