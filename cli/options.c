/* The command line: a verb of one or two words, then options and arguments in any order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const struct cli_option COMMON[] = {
    {"home", 0, "DIR", "the folder of keys and records (default: ~/.config/2cvm)"},
    {"json", 0, NULL, "one JSON document on standard output"},
    {"help", 'h', NULL, "this text"},
    {0},
};

static const struct cli_option *find_in(const struct cli_option *list, const char *name, size_t len,
                                        char letter)
{
    for (; list && list->name; list++)
        if (letter ? list->letter == letter
                   : strlen(list->name) == len && memcmp(list->name, name, len) == 0)
            return list;
    return NULL;
}

static const struct cli_option *find_option(const struct cli_verb *verb, const char *name,
                                            size_t len, char letter)
{
    const struct cli_option *o = find_in(COMMON, name, len, letter);
    return o ? o : find_in(verb->options, name, len, letter);
}

/* "contact add" before "contact": returns how many words the verb has, 0 when there is none. */
static int find_verb(const struct cli_verb *const *verbs, int argc, char **argv,
                     const struct cli_verb **ret)
{
    for (; *verbs; verbs++) {
        const char *name = (*verbs)->name, *blank = strchr(name, ' ');
        size_t first = blank ? (size_t)(blank - name) : strlen(name);
        if (strlen(argv[0]) != first || memcmp(argv[0], name, first) != 0)
            continue;
        if (blank && (argc < 2 || strcmp(argv[1], blank + 1) != 0))
            continue;
        *ret = *verbs;
        return blank ? 2 : 1;
    }
    return 0;
}

static int unknown_verb(const struct cli_verb *const *verbs, const char *word,
                        struct cvm_error *err)
{
    char list[200] = "";
    for (; *verbs; verbs++) {
        size_t n = strlen(word), at = strlen(list);
        if (strncmp((*verbs)->name, word, n) == 0 && (*verbs)->name[n] == ' ')
            snprintf(list + at, sizeof list - at, "%s`2cvm %s`", at ? ", " : "", (*verbs)->name);
    }
    if (list[0])
        return cvm_fail_expected(err, CVM_E_USAGE, list, NULL, "\"%s\" goes with another word",
                                 word);
    return cvm_fail_expected(err, CVM_E_USAGE, "a verb that `2cvm --help` lists", word,
                             "an unknown verb");
}

static int add_option(struct cli *c, const char *name, const char *value, struct cvm_error *err)
{
    CVM_ENSURE(c->n_options < CLI_OPTIONS_MAX, err, CVM_E_USAGE, "too many options");
    c->options[c->n_options].name = name;
    c->options[c->n_options++].value = value;
    return 0;
}

static int usage_option(const struct cli *c, const char *what, struct cvm_error *err)
{
    char expected[96];
    snprintf(expected, sizeof expected, "an option that `2cvm %s --help` lists", c->verb->name);
    return cvm_fail_expected(err, CVM_E_USAGE, expected, what, "an unknown option");
}

/* Takes one word of the command line, and the next one when it is an option's value. */
static int take_word(struct cli *c, int argc, char **argv, int *at, struct cvm_error *err)
{
    const char *word = argv[*at];
    if (word[0] != '-' || !word[1]) {
        CVM_ENSURE(c->n_args < CLI_ARGS_MAX, err, CVM_E_USAGE, "too many arguments");
        c->args[c->n_args++] = word;
        return 0;
    }
    bool is_long = word[1] == '-';
    const char *name = word + (is_long ? 2 : 1), *equals = is_long ? strchr(name, '=') : NULL;
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    if (!is_long && name[1])
        return usage_option(c, word, err);
    const struct cli_option *o = find_option(c->verb, name, len, is_long ? 0 : name[0]);
    if (!o)
        return usage_option(c, word, err);
    if (!o->value) {
        CVM_ENSURE(!equals, err, CVM_E_USAGE, "--%s takes no value", o->name);
        return add_option(c, o->name, "", err);
    }
    const char *value = equals ? equals + 1 : *at + 1 < argc ? argv[++*at] : NULL;
    CVM_ENSURE(value && value[0], err, CVM_E_USAGE, "--%s needs a value: %s", o->name, o->value);
    return add_option(c, o->name, value, err);
}

int cli_parse(struct cli *c, const struct cli_verb *const *verbs, int argc, char **argv,
              bool *ret_help, struct cvm_error *err)
{
    *ret_help = false;
    int at = 1;
    /* The common options may also stand before the verb. */
    static const struct cli_verb NONE = {.name = ""};
    c->verb = &NONE;
    while (at < argc && argv[at][0] == '-' && argv[at][1]) {
        CVM_GUARD(take_word(c, argc, argv, &at, err));
        at++;
    }
    c->json = cli_flag(c, "json");
    c->verb = NULL;
    if (at < argc) {
        int words = find_verb(verbs, argc - at, argv + at, &c->verb);
        if (!words)
            return cli_flag(c, "help") ? (*ret_help = true, 0) : unknown_verb(verbs, argv[at], err);
        for (at += words; at < argc; at++) {
            if (strcmp(argv[at], "--json") == 0)
                c->json = true;
            CVM_GUARD(take_word(c, argc, argv, &at, err));
        }
    }
    c->json = cli_flag(c, "json");
    c->home = cli_opt(c, "home");
    *ret_help = cli_flag(c, "help");
    if (*ret_help)
        return 0;
    CVM_ENSURE(c->verb, err, CVM_E_USAGE, "what shall be done? `2cvm --help` lists the verbs");
    if (c->n_args < c->verb->min_args || c->n_args > c->verb->max_args) {
        char got[32];
        snprintf(got, sizeof got, "%d argument%s", c->n_args, c->n_args == 1 ? "" : "s");
        return cvm_fail_expected(err, CVM_E_USAGE,
                                 c->verb->arguments[0] ? c->verb->arguments : "no argument", got,
                                 "2cvm %s has other arguments", c->verb->name);
    }
    return 0;
}

const char *cli_opt(const struct cli *c, const char *name)
{
    for (int i = c->n_options - 1; i >= 0; i--)
        if (strcmp(c->options[i].name, name) == 0)
            return c->options[i].value;
    return NULL;
}

const char *cli_opt_at(const struct cli *c, const char *name, int i)
{
    for (int k = 0; k < c->n_options; k++)
        if (strcmp(c->options[k].name, name) == 0 && i-- == 0)
            return c->options[k].value;
    return NULL;
}

bool cli_flag(const struct cli *c, const char *name)
{
    return cli_opt(c, name) != NULL;
}

int cli_opt_int(const struct cli *c, const char *name, int64_t min, int64_t max, int64_t absent,
                int64_t *ret, struct cvm_error *err)
{
    const char *text = cli_opt(c, name);
    if (!text) {
        *ret = absent;
        return 0;
    }
    char *end, expected[80];
    errno = 0;
    long long v = strtoll(text, &end, 10);
    bool plain = (text[0] >= '0' && text[0] <= '9') || (text[0] == '-' && text[1]);
    if (!plain || *end || errno || v < min || v > max) {
        snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long)min,
                 (long long)max);
        return cvm_fail_expected(err, CVM_E_USAGE, expected, text, "--%s", name);
    }
    *ret = v;
    return 0;
}

static void print_option(const struct cli_option *o, FILE *out)
{
    char left[64], letter[8] = "    ";
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->value ? " " : "",
             o->value ? o->value : "");
    fprintf(out, "  %-30s %s\n", left, o->help);
}

void cli_help(const struct cli_verb *verb, FILE *out)
{
    fprintf(out, "2cvm %s%s%s%s\n\n%s\n\nOptions\n", verb->name, verb->options ? " [OPTIONS]" : "",
            verb->arguments[0] ? " " : "", verb->arguments, verb->summary);
    for (const struct cli_option *o = verb->options; o && o->name; o++)
        print_option(o, out);
    for (const struct cli_option *o = COMMON; o->name; o++)
        print_option(o, out);
    fprintf(out, "\nExample\n");
    for (const char *p = verb->example; *p;) {
        const char *end = strchrnul(p, '\n');
        fprintf(out, "  %.*s\n", (int)(end - p), p);
        p = *end ? end + 1 : end;
    }
}

void cli_usage(const struct cli_verb *const *verbs, FILE *out)
{
    fprintf(out, "2cvm VERB [OPTIONS] [ARGUMENTS]: take part in a collaboration without trusting "
                 "its host or the "
                 "others\n\nVerbs (each has --help with an example)\n");
    for (; *verbs; verbs++)
        fprintf(out, "  %-18s %s\n", (*verbs)->name, (*verbs)->summary);
    fprintf(out, "\nFor all verbs\n");
    for (const struct cli_option *o = COMMON; o->name; o++)
        print_option(o, out);
    fprintf(out, "\nExit code: 0 done, 1 refused, 2 wrong usage; `2cvm verify`: 0 verified on "
                 "hardware, 10 consistent "
                 "but SIMULATED.\n");
}
