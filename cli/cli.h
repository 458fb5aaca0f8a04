/*
 * What every verb of the command-line tool shares: the table of verbs, parsed options, and how
 * things are said to people and to programs. One file a verb (verb-*.c); each defines one or more
 * `struct cli_verb` that main.c lists.
 */
#ifndef CVM_CLI_CLI_H
#define CVM_CLI_CLI_H

#include <jansson.h>

#include "core/base/memory.h"

#define CLI_OPTIONS_MAX 96 /* given on one command line */
#define CLI_ARGS_MAX 16

/* Exit codes; verify alone has a fourth one. */
#define CLI_EXIT_OK 0
#define CLI_EXIT_REFUSED 1
#define CLI_EXIT_USAGE 2
#define CLI_EXIT_SIMULATED 10

struct cli;

struct cli_option {
    const char *name;  /* without its dashes */
    char letter;       /* 0: none */
    const char *value; /* word for --help; NULL for a flag */
    const char *help;
};

struct cli_verb {
    const char *name;                 /* "contact add" */
    const char *arguments;            /* for --help, "CARD.json" */
    const char *summary;              /* one line */
    const char *example;              /* one or more whole command lines */
    const struct cli_option *options; /* ends with a zeroed row; NULL: only the common ones */
    int min_args, max_args;
    int (*run)(struct cli *c, struct cvm_error *err); /* exit code, or -1 */
};

struct cli {
    const struct cli_verb *verb;
    const char *args[CLI_ARGS_MAX];
    int n_args;
    struct {
        const char *name, *value;
    } options[CLI_OPTIONS_MAX];
    int n_options;
    bool json;        /* one JSON document on stdout and nothing else */
    const char *home; /* absolute or as given */
    char *home_owned;
    bool said; /* the JSON document was printed */
};

/* Splits a command line by the table. CVM_E_USAGE says what is wrong with it. `*ret_help` when
 * --help was asked. */
int cli_parse(struct cli *c, const struct cli_verb *const *verbs, int argc, char **argv,
              bool *ret_help, struct cvm_error *err) CVM_MUST_USE;
void cli_usage(const struct cli_verb *const *verbs, FILE *out);
void cli_help(const struct cli_verb *verb, FILE *out);

const char *cli_opt(const struct cli *c,
                    const char *name); /* the last value given; NULL when absent */
const char *cli_opt_at(const struct cli *c, const char *name,
                       int i); /* the i-th, for options that may be repeated */
bool cli_flag(const struct cli *c, const char *name);
/* A number option. CVM_E_USAGE when it is no plain decimal number in range; `absent` when it was
 * not given. */
int cli_opt_int(const struct cli *c, const char *name, int64_t min, int64_t max, int64_t absent,
                int64_t *ret, struct cvm_error *err) CVM_MUST_USE;

/* Text as it is, UTF-8 too, but '?' for everything that drives a terminal; ends of lines stay. */
void cli_print_safe(FILE *out, const char *text);
/* For people: to stdout, by cli_print_safe(); nothing with --json. */
void cli_say(const struct cli *c, const char *fmt, ...) CVM_PRINTF(2, 3);
/* A remark for people on stderr, also with --json. */
void cli_note(const struct cli *c, const char *fmt, ...) CVM_PRINTF(2, 3);
/* For programs: prints the document when --json was given. Takes the reference. */
void cli_result(struct cli *c, json_t *result);
/* One line for the refusal, one for expected and got, one for the remedy; with --json a problem
 * object (RFC 9457). */
void cli_say_error(struct cli *c, const struct cvm_error *err);

/* A bar on stderr while something long goes on; only at a terminal and without --json. Its shape is
 * cvm_progress. */
struct cli_progress {
    bool on;
    const char *what;
    int64_t next_ms; /* when it may be drawn again */
    bool drawn;
};
struct cli_progress cli_progress_start(const struct cli *c, const char *what);
void cli_progress_update(void *progress, uint64_t done, uint64_t total);
void cli_progress_end(struct cli_progress *p);

/* Foreign text for a terminal: what is not printable ASCII becomes '?', what is too long is cut.
 * Returns out. */
char *cli_plain(const char *text, char *out, size_t size);

int64_t cli_now(void); /* seconds since 1970 */
/* "2026-11-21 11:17 UTC". */
char *cli_time_text(int64_t seconds, char out[32]);
/* "1.5 MiB". */
char *cli_size_text(uint64_t bytes, char out[24]);

/* The verbs, in the order of --help. */
#define CLI_VERB(name) extern const struct cli_verb cli_verb_##name;
#include "cli/verbs.def"
#undef CLI_VERB

#endif
