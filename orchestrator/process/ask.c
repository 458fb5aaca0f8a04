#include "orchestrator/process/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "core/base/clock.h"
#include "core/base/descriptor.h"

#define ASK_MS 10000
#define OUTPUT_MAX (256 << 10)
#define INPUT_MAX 4096 /* less than a pipe holds: nobody has to read yet */

static int read_all(int fd, struct cvm_buf *out, struct cvm_error *err)
{
    int64_t end = cvm_now_ms() + ASK_MS;
    size_t had = out->len;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left = end - cvm_now_ms();
        int rc = poll(&p, 1, left > 0 ? (int)left : 0);
        if (rc < 0 && errno == EINTR)
            continue;
        CVM_ENSURE(rc > 0 && out->len - had < OUTPUT_MAX, err, CVM_E_TIMEOUT,
                   "the program did not end in time");
        char text[4096];
        ssize_t n = read(fd, text, sizeof text);
        if (n < 0)
            return cvm_fail_errno(err, "cannot read what the program prints");
        if (n == 0)
            return 0;
        cvm_buf_append(out, text, (size_t)n);
    }
}

static int start(const char *const *argv, int in, int out, pid_t *ret_pid, struct cvm_error *err)
{
    char *envp[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    int rc = posix_spawn(ret_pid, argv[0], &actions, NULL, (char *const *)argv, envp);
    posix_spawn_file_actions_destroy(&actions);
    CVM_ENSURE(rc == 0, err, CVM_E_PLATFORM, "cannot start '%s': %s", argv[0], strerror(rc));
    return 0;
}

int cvm_ask_program(const char *const *argv, struct cvm_bytes input, struct cvm_buf *out,
                    struct cvm_error *err)
{
    int in[2], from[2];
    pid_t pid = -1;
    CVM_ENSURE(input.len <= INPUT_MAX, err, CVM_E_USAGE, "too much input for one pipe");
    if (pipe2(in, O_CLOEXEC) < 0)
        return cvm_fail_errno(err, "cannot make a pipe");
    CVM_AUTO_CLOSE int in_read = in[0], in_write = in[1];
    if (pipe2(from, O_CLOEXEC) < 0)
        return cvm_fail_errno(err, "cannot make a pipe");
    CVM_AUTO_CLOSE int out_read = from[0], out_write = from[1];
    CVM_GUARD(cvm_fd_write(in_write, input.data, input.len, err));
    CVM_GUARD(start(argv, in_read, out_write, &pid, err));
    close(CVM_TAKE_FD(out_write));
    close(CVM_TAKE_FD(in_write));
    int rc = read_all(out_read, out, err), status = 0;
    if (rc < 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    CVM_GUARD(rc);
    CVM_ENSURE(WIFEXITED(status), err, CVM_E_PLATFORM, "'%s' was ended by a signal", argv[0]);
    return 0;
}

json_t *cvm_ask_protections(const char *image, struct cvm_error *err)
{
    CVM_AUTO_FREE char *agent = cvm_printf("%s/2cvm-agent", image);
    const char *const argv[] = {agent, "--probe", NULL};
    CVM_AUTO_BUF struct cvm_buf text = {0};
    if (cvm_ask_program(argv, CVM_STR(""), &text, err) < 0)
        return NULL;
    json_t *list = cvm_json_parse(text.data ? (const char *)text.data : "", text.len, NULL);
    if (json_is_array(list))
        return list;
    json_decref(list);
    cvm_fail(err, CVM_E_PLATFORM, "the agent's probe printed no list");
    return NULL;
}
