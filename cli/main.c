/* 2cvm: the participant's and the operator's command-line tool. The verbs are in verb-*.c, listed
 * in verbs.def. */
#include <curl/curl.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "cli/cli.h"

static const struct cli_verb *const VERBS[] = {
#define CLI_VERB(name) &cli_verb_##name,
#include "cli/verbs.def"
#undef CLI_VERB
    NULL,
};

static int choose_home(struct cli *c, struct cvm_error *err)
{
    if (c->home)
        return 0;
    const struct passwd *pw = getpwuid(getuid());
    CVM_ENSURE(pw && pw->pw_dir && pw->pw_dir[0] == '/', err, CVM_E_USAGE,
               "this user has no home folder; say --home DIR");
    c->home_owned = cvm_printf("%s/.config/2cvm", pw->pw_dir);
    c->home = c->home_owned;
    return 0;
}

static int work(struct cli *c, int argc, char **argv, struct cvm_error *err)
{
    bool help;
    if (argc == 2 && (argv[1][0] == '-' && argv[1][1] == '-' && argv[1][2] == 'v')) {
        printf("2cvm %s\n", CVM_VERSION);
        return CLI_EXIT_OK;
    }
    CVM_GUARD(cli_parse(c, VERBS, argc, argv, &help, err));
    if (help) {
        if (c->verb && c->verb->name[0])
            cli_help(c->verb, stdout);
        else
            cli_usage(VERBS, stdout);
        return CLI_EXIT_OK;
    }
    CVM_GUARD(choose_home(c, err));
    return c->verb->run(c, err);
}

int main(int argc, char **argv)
{
    struct cli c = {0};
    struct cvm_error err = {0};
    /* Keys pass through this process: no core file, no debugger of the same user, no file that
     * others can read. */
    struct rlimit none = {0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    umask(022);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int code = work(&c, argc, argv, &err);
    if (code < 0) {
        cli_say_error(&c, &err);
        code = err.code == CVM_E_USAGE ? CLI_EXIT_USAGE : CLI_EXIT_REFUSED;
    }
    if (fflush(stdout) != 0)
        code = CLI_EXIT_REFUSED;
    curl_global_cleanup();
    free(c.home_owned);
    return code;
}
