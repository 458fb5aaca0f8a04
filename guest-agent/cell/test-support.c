#include "guest-agent/cell/test-support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define FDS_MAX 64
#define WAIT_MS 3000

static unsigned have;

int testing_setup(void **state)
{
    (void)state;
    struct cvm_error err = {0};
    if (cvm_sandbox_probe(&have, &err) < 0)
        fail_msg("probe: %s", err.message);
    return 0;
}

int testing_memory(const void *data, size_t len)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, len, 0), len);
    return fd;
}

int testing_component(const char *name)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s.wasm", CELLS, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail_msg("%s is missing: run test/attack/cells/build", path);
    return fd;
}

void testing_start(const char *path, const struct cvm_sandbox_fd *given, size_t n_given,
                   uint64_t data_bytes, struct testing_child *ret)
{
    struct cvm_error err = {0};
    struct cvm_sandbox_fd fds[FDS_MAX];
    int result[2];
    int program = open(path, O_PATH | O_CLOEXEC);
    ret->null = memfd_create("null", MFD_CLOEXEC);
    assert_true(program >= 0 && ret->null >= 0 && n_given + 2 <= FDS_MAX);
    assert_int_equal(pipe2(result, O_CLOEXEC), 0);
    memcpy(fds, given, n_given * sizeof *given);
    fds[n_given] = (struct cvm_sandbox_fd){result[1], CVM_FD_RESULT};
    fds[n_given + 1] = (struct cvm_sandbox_fd){ret->null, CVM_FD_NULL};
    struct cvm_sandbox_spawn spec = {.program = program,
                                     .name = "test",
                                     .have = have,
                                     .fds = fds,
                                     .n_fds = n_given + 2,
                                     .data_bytes = data_bytes,
                                     .cpu_seconds = 20,
                                     .cgroup = -1,
                                     .proc = -1};
    if (cvm_sandbox_spawn(&spec, &ret->child, &err) < 0)
        fail_msg("spawn: %s", err.message);
    close(result[1]);
    close(program);
    ret->result = result[0];
}

void testing_wait(struct testing_child *child, struct testing_end *ret)
{
    memset(ret, 0, sizeof *ret);
    struct pollfd end = {.fd = child->child.pidfd, .events = POLLIN};
    if (poll(&end, 1, WAIT_MS) == 0)
        assert_int_equal(kill(child->child.pid, SIGKILL), 0);
    assert_int_equal(waitpid(child->child.pid, &ret->status, 0), child->child.pid);
    ret->len = read(child->result, ret->record, sizeof ret->record);
    char text[512] = "";
    if (pread(child->null, text, sizeof text - 1, 0) > 0)
        print_message("  it said: %s\n", text);
    close(child->child.pidfd);
    close(child->result);
    close(child->null);
}

void testing_compile(int component, const struct testing_grants *g, const char *calls,
                     uint64_t max_cwasm, struct testing_compiled *ret)
{
    char text[4096];
    struct cvm_error err = {0};
    struct testing_end e;
    struct testing_child child;
    struct stat st;
    (void)snprintf(text, sizeof text,
                   "{%s%s%s\"clock\":\"%s\",\"fuel\":%d,\"grants\":[%s],\"kind\":\"%s\","
                   "\"max_cwasm_bytes\":%llu,\"memory_bytes\":%u,\"random\":\"%s\"}",
                   calls ? "\"calls\":" : "", calls ? calls : "", calls ? "," : "", g->clock,
                   g->fuel > 0, g->list, g->kind, (unsigned long long)max_cwasm, TESTING_MEMORY,
                   g->random);
    int spec = testing_memory(text, strlen(text)), texts = testing_memory("", 0);
    *ret = (struct testing_compiled){.cwasm = testing_memory("", 0)};
    const struct cvm_sandbox_fd fds[] = {{spec, CVM_FD_SPEC},
                                         {component, CVM_FD_CODE},
                                         {ret->cwasm, CVM_FD_CWASM},
                                         {texts, CVM_FD_TEXTS}};
    testing_start(COMPILE, fds, calls ? 4 : 3, 512u << 20, &child);
    testing_wait(&child, &e);
    close(spec);
    close(component);
    if (cvm_compile_result_read(e.record, e.len < 0 ? 0 : (size_t)e.len, max_cwasm, &ret->result,
                                &err) < 0)
        fail_msg("compiler: %s (status %x)", err.message, e.status);
    assert_int_equal(e.status, 0);
    if (ret->result.end != CVM_COMPILE_OK) {
        close(ret->cwasm);
        ret->cwasm = -1;
    } else {
        assert_int_equal(fstat(ret->cwasm, &st), 0);
        assert_int_equal(st.st_size, ret->result.cwasm_bytes);
        assert_int_equal(fstat(texts, &st), 0);
        assert_int_equal(st.st_size, ret->result.texts_bytes);
        ret->texts = calloc(1, (size_t)st.st_size + 1);
        assert_non_null(ret->texts);
        assert_int_equal(pread(texts, ret->texts, (size_t)st.st_size, 0), st.st_size);
    }
    close(texts);
}
